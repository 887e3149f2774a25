"""`genoscan train mixtures`: an atlas to a network of region means, ready for `genoscan deconvolve`."""

from __future__ import annotations

import click

from .guard import guarded


@click.command()
@click.option("--atlas", required=True, metavar="TSV", help="Markers x cell types, of which some are the blood's.")
@click.option("--genome", metavar="FASTA", help="Where the markers' bases come from, if the atlas has none.")
@click.option("-o", "--output", required=True, metavar="ONNX", help="The network to write.")
@click.option("--name", default="region-means", show_default=True, help="Its name in the card.")
@click.option("--steps", type=click.IntRange(1), default=4000, show_default=True, help="Of 128 mixtures each.")
@click.option("--donors", type=click.IntRange(1, 40), default=4, show_default=True, help="Simulated people to mix.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@guarded
def mixtures(atlas, genome, output, name, steps, donors, seed):
    """Train a network of region means on simulated mixtures, from two cell types to blood-dominated ones.

    \b
    Example:
      genoscan train mixtures --atlas panel.tsv.gz -o regions.onnx
    """
    from pathlib import Path

    from .. import __version__
    from ..export.region_network import export_region_network
    from ..scanner.deconvolution.estimates import UNKNOWN
    from ..scanner.deconvolution.region_network import RegionCard, region_names
    from ..scanner.errors import UsageError
    from ..scanner.writing.output import require_place
    from ..training.mixtures.fit import MixtureFit, fit_mixtures
    from ..training.mixtures.moments import simulated_moments
    from ..training.tissue.panel import blood_types, open_panel
    from ..training.tissue.settings import WINDOW, ReadSimulation
    from ..training.tissue.simulation import Simulator
    from .messages import say

    require_place(Path(output))
    panel = open_panel(atlas, genome)
    blood = blood_types(panel.cell_types)
    if blood.all() or not blood.any():
        raise UsageError(f"{atlas}: needs cell types of the blood (Blood-...) and others")
    settings = MixtureFit(steps=steps, donors=donors, seed=seed)
    simulator = Simulator(panel, ReadSimulation(), WINDOW, seed)
    say(f"{atlas}: reads of {len(panel.cell_types)} cell types of {donors} donors")
    moments = simulated_moments(simulator, "training", donors, seed)
    network = fit_mixtures(
        moments, blood, settings, lambda step, error: say(f"step {step:,}: mean absolute error {error:.4f}")
    )
    card = RegionCard(
        name=name,
        version=__version__,
        description="Proportions from the mean methylation of regions: cells of the blood first, then the rest.",
        regions=region_names(panel.atlas),
        tissues=(*panel.cell_types, UNKNOWN),
        provenance={"atlas": Path(atlas).name, "training": f"{steps} steps of {settings.batch} simulated mixtures"},
    )
    difference = export_region_network(network, card, Path(output))
    say(f"{output}: {len(card.regions):,} regions, {len(card.tissues)} tissues; differs by {difference:.1e}")
