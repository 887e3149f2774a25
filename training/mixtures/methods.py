"""Ways to the proportions of a simulated sample: what `genoscan deconvolve` does with a file, without the file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...scanner.deconvolution.estimates import UNKNOWN
from ...scanner.deconvolution.marker_reads import MarkerReads, marker_reads
from ...scanner.deconvolution.methods import atlas_estimator, least_squares_estimator, network_estimator
from ...scanner.deconvolution.mixture import proportions, with_unknown
from ...scanner.deconvolution.region_network import RegionNetwork, markers_of
from ...scanner.inference.session import Model
from ...scanner.markers import owners_of
from ...scanner.read_likelihoods import window_log_likelihoods
from ...scanner.read_windows import read_windows, windows_on
from ...scanner.reading.methylation.reads import MethylationReads
from ...scanner.reading.tiles import INTERVAL
from ..tissue.panel import Panel
from .samples import SpikedSample

Answer = Callable[[float], np.ndarray]
"""From the share that a sample's cell type has in it to proportions float64 (cell types,); their sum is less than 1
where a part is unknown."""
Method = Callable[[SpikedSample], Answer]
_MOST_KNOWN = 2_000_000


def of_marker_reads(panel: Panel, estimate: Callable[[MarkerReads], np.ndarray]) -> Method:
    """The method that makes proportions of reads clipped to the panel's markers."""
    atlas = panel.atlas
    return lambda sample: lambda share: estimate(marker_reads(sample.at(share), atlas.starts, atlas.ends))


def atlas_likelihood(panel: Panel) -> Method:
    """Maximum likelihood from the atlas' shares, with an unknown part."""
    shares = panel.atlas.unmethylated
    return of_marker_reads(
        panel, lambda reads: atlas_estimator(reads, shares, True)(reads.counts)[: len(panel.cell_types)]
    )


def atlas_least_squares(panel: Panel) -> Method:
    """UXM's least squares, which has no unknown part."""
    shares = panel.atlas.unmethylated
    return of_marker_reads(panel, lambda reads: least_squares_estimator(reads, shares, False)(reads.counts))


def region_means(panel: Panel, network: RegionNetwork) -> Method:
    """A network of region means, of the same atlas."""
    rows = markers_of(network, panel.atlas, "the panel")
    places = [network.card.tissues.index(name) for name in panel.cell_types]

    def estimate(reads: MarkerReads) -> np.ndarray:
        return network_estimator(reads, rows, len(panel.lefts), network.run)(reads.counts)[places]

    return of_marker_reads(panel, estimate)


class ReadNetwork:
    """Maximum likelihood from what a model of reads says, whose classes are the panel's cell types; with an unknown
    part unless one of them is that.

    The model's answers are kept: of the windows of a sample most have come before, in samples at the same markers.
    """

    def __init__(self, model: Model, panel: Panel, threads: int = 1):
        self.model, self.panel, self.threads = model, panel, threads
        self._known: dict[bytes, np.ndarray] = {}

    def __call__(self, sample: SpikedSample) -> Answer:
        codes, owners = self._windows(sample.reads)
        numbers: dict[bytes, int] = {}
        places = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in codes], dtype=np.int64)
        self._learn(list(numbers))
        types = len(self.panel.cell_types)
        table = np.array([self._known[key] for key in numbers]).reshape(-1, types)
        if UNKNOWN not in self.panel.cell_types:
            table = with_unknown(table)

        def answer(share: float) -> np.ndarray:
            counts = np.bincount(places, weights=sample.kept(share)[owners], minlength=len(numbers))
            return proportions(table, counts)[:types]

        return answer

    def _windows(self, reads: list[MethylationReads]) -> tuple[np.ndarray, np.ndarray]:
        """Marked codes uint8 (windows, window) of the windows that tell of their marker, and int64 (windows,) the
        number of the read that each is of, over all markers."""
        panel, window = self.panel, self.model.card.window
        codes, owners, before = [], [], 0
        for marker, found in enumerate(reads):
            place = np.array([(0, panel.atlas.starts[marker], panel.atlas.ends[marker])], dtype=INTERVAL)
            windows = read_windows(found, window)
            windows = windows.take(owners_of(found, windows, place) >= 0)
            begin, end = panel.begins[marker : marker + 2]
            first = int(panel.atlas.starts[marker] - (panel.lefts[marker] - begin))
            codes.append(windows_on(panel.codes[begin:end], first, found, windows, window))
            owners.append(windows.reads + before)
            before += len(found.starts)
        return np.concatenate(codes), np.concatenate(owners)

    def _learn(self, keys: list[bytes]) -> None:
        """Let the model answer what it has not been asked."""
        if len(self._known) > _MOST_KNOWN:
            self._known = {}
        new = [key for key in keys if key not in self._known]
        codes = np.frombuffer(b"".join(new), dtype=np.uint8).reshape(len(new), self.model.card.window)
        self._known.update(zip(new, window_log_likelihoods(self.model, codes, self.threads), strict=True))
