"""Called tissues as BED lines: nine standard columns and those of `calling.tissues.COLUMNS`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..calling.tissue_colours import tissue_colour
from ..calling.tissues import TissueCalls
from ..card import ModelCard
from ..inference.stitch import SCORE_UNIT
from .bed import bed_scores


def tissue_lines(calls: TissueCalls, names: Sequence[str], card: ModelCard, markers: np.ndarray, listed: int) -> bytes:
    """BED lines in the calls' order.

    names: the contigs'. markers: int64, the number in the card of each marker that regions are numbered by. listed:
    probability in ten-thousandths from which on classes are listed.
    """
    totals, tissues = calls.totals, card.output.names
    colours = [tissue_colour(name) for name in tissues]
    rows = np.arange(len(totals.reads))
    scores = bed_scores(
        {"total": totals.shares[rows, calls.best[:, 0]], "scored": totals.reads}, card.track.score_range
    )
    lines = []
    for row, (contig, start, end) in enumerate(totals.places.tolist()):
        reads, shares = int(totals.reads[row]), totals.shares[row]
        best, *others = calls.best[row].tolist()
        marker = int(totals.markers[row])
        fields = (
            names[contig], start, end, tissues[best], int(scores[row]), ".", start, end, colours[best],
            _probability(shares[best], reads),
            *((tissues[others[0]], _probability(shares[others[0]], reads)) if others else (".", 0)),
            reads, int(totals.cpgs[row]),
            (card.markers[markers[marker]].target or ".") if marker >= 0 else ".",
            _listed(shares, reads, tissues, listed),
        )  # fmt: skip
        lines.append("\t".join(map(str, fields)) + "\n")
    return "".join(lines).encode()


def _listed(shares: np.ndarray, reads: int, tissues: Sequence[str], listed: int) -> str:
    order = np.argsort(-shares, kind="stable")
    kept = order[shares[order] >= listed * reads].tolist()
    return ",".join(f"{tissues[one]}={_probability(shares[one], reads)}" for one in kept) or "."


def _probability(share: int, reads: int) -> str:
    return f"{int(share) / reads / SCORE_UNIT:.4f}"
