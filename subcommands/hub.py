"""`genoscan hub`: tracks as genome browsers open them."""

from __future__ import annotations

import click

from .guard import guarded


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="TRACK_OR_FOLDER...")
@click.option(
    "--assembly",
    required=True,
    metavar="NAME",
    help="The genome's name at UCSC (hg38) or its accession (GCF_000005845.2); with --two-bit any name.",
)
@click.option("--email", required=True, help="Whom users of the hub may write to; UCSC asks for it.")
@click.option("-o", "--out-dir", default="hub", show_default=True, metavar="DIR", help="Folder to write.")
@click.option("--genome", metavar="FASTA", help="The genome, where it has moved since it was scanned.")
@click.option("--two-bit", metavar="FILE", help="The genome as .2bit, for one that UCSC does not have.")
@guarded
def hub(runs, assembly, email, out_dir, genome, two_bit):
    """Write a UCSC track hub, a JBrowse 2 configuration and IGV sessions of tracks that are on disk.

    \b
    Examples:
      genoscan hub repeats.bb --assembly hg38 --email me@example.org
      genoscan hub tracks/ --assembly GCF_000005845.2 --email me@example.org --out-dir hub
    """  # fmt: skip
    from pathlib import Path

    from ..results.hub import write_hub
    from ..results.runs import find_runs

    for path in write_hub(find_runs(runs), Path(out_dir), assembly, email, genome, two_bit):
        click.echo(path)
