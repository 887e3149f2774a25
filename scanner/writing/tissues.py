"""Called tissues as BED lines: nine standard columns and those of `calling.tissues.COLUMNS`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..calling.tissue_colours import tissue_colour
from ..calling.tissues import TissueCalls, TissueThresholds
from ..card import ModelCard


def tissue_lines(
    calls: TissueCalls, names: Sequence[str], card: ModelCard, markers: np.ndarray, thresholds: TissueThresholds
) -> bytes:
    """BED lines in the calls' order.

    names: the contigs'. markers: int64, the number in the card of each marker that regions are numbered by.
    thresholds: which classes are listed.
    """
    regions, tissues = calls.regions, card.output.names
    colours = [tissue_colour(name) for name in tissues]
    low, high = card.track.score_range
    lines = []
    for row, (contig, start, end) in enumerate(regions.places.tolist()):
        shares, evidence = regions.shares[row], regions.evidence[row]
        best, *others = calls.best[row].tolist()
        second = others[0] if others and evidence[others[0]] > 0 else None
        marker = int(regions.markers[row])
        fields = (
            names[contig], start, end, tissues[best],
            min(max(round(1000 * (shares[best] - low) / (high - low)), 0), 1000), ".", start, end, colours[best],
            f"{shares[best]:.4f}", f"{evidence[best]:.1f}",
            *((".", 0, 0) if second is None else
              (tissues[second], f"{shares[second]:.4f}", f"{evidence[second]:.1f}")),
            int(regions.reads[row]), int(regions.cpgs[row]),
            (card.markers[markers[marker]].target or ".") if marker >= 0 else ".",
            _listed(shares, evidence, tissues, thresholds),
        )  # fmt: skip
        lines.append("\t".join(map(str, fields)) + "\n")
    return "".join(lines).encode()


def _listed(shares: np.ndarray, evidence: np.ndarray, tissues: Sequence[str], thresholds: TissueThresholds) -> str:
    order = np.argsort(-shares, kind="stable")
    kept = order[(shares[order] >= thresholds.listed) & (evidence[order] >= thresholds.evidence)].tolist()
    return ",".join(f"{tissues[one]}={shares[one]:.4f}" for one in kept) or "."
