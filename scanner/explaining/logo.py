"""Explanations as sequence logos: letters as high as what the score loses without them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..writing.output import require_place, write_synced
from .mutagenesis import Explanation

FORMATS = (".png", ".pdf", ".svg")
SHOWN_BASES = 100
"""Bases of a panel: those next to each other whose importance adds up to most."""
SHOWN_CALLS = 20
_COLORS = {"A": "#109648", "C": "#255c99", "G": "#f7b32b", "T": "#d62839"}
_WIDTH, _HEIGHT = 12.0, 1.5


def require_logo_place(path: str | Path) -> None:
    """`UsageError` for a name that says no format, `GenoscanError` where no file can be put: asked before the work."""
    if Path(path).suffix.lower() not in FORMATS:
        raise UsageError(f"--logo {path}: name it .png, .pdf or .svg")
    require_place(Path(path))


def draw_logos(explained: Sequence[Explanation], names: Sequence[str], output: str, path: str | Path) -> None:
    """A panel for each of the `SHOWN_CALLS` highest explanations, from the highest on: the bases along the strand, as
    high as the score of ``output`` loses without them, below the axis where it would gain."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    shown = sorted(explained, key=lambda one: -one.reference)[:SHOWN_CALLS]
    figure, panels = pyplot.subplots(
        len(shown), figsize=(_WIDTH, _HEIGHT * len(shown) + 0.4), layout="constrained", squeeze=False
    )
    for one, axes in zip(shown, panels[:, 0], strict=True):
        place = one.summit.place
        _draw(axes, one)
        call = f"{names[place.contig]}:{place.start + 1:,}-{place.end:,} {place.strand}"
        axes.set_title(f"{call}   {output} {one.reference:.2f}", fontsize=8, loc="left")
    panels[-1, 0].set_xlabel("bases from the predicted start, along the strand")
    figure.supylabel("loss of score", fontsize=9)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=Path(path).suffix[1:].lower(), dpi=150)
    pyplot.close(figure)
    write_synced(Path(path), drawn.getvalue())


def most_important(importance: np.ndarray, bases: int) -> slice:
    """The stretch of so many bases whose absolute importance adds up to most; of equals the first; all if fewer."""
    sums = np.convolve(np.abs(importance), np.ones(min(bases, len(importance))), mode="valid")
    first = int(np.argmax(np.round(sums, 9)))
    return slice(first, first + min(bases, len(importance)))


def _draw(axes, explained: Explanation) -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    part = most_important(explained.importance, SHOWN_BASES)
    heights, offsets = explained.importance[part], explained.offsets[part]
    font = FontProperties(family="DejaVu Sans", weight="bold")
    glyphs = {letter: TextPath((0, 0), letter, size=1, prop=font) for letter in _COLORS}
    for code, height, offset in zip(explained.codes[part].tolist(), heights.tolist(), offsets.tolist(), strict=True):
        if code > 3 or height == 0:
            continue
        letter = "ACGT"[code]
        box = glyphs[letter].get_extents()
        shape = Affine2D().translate(-box.x0, -box.y0).scale(0.9 / box.width, height / box.height)
        path = glyphs[letter].transformed(shape.translate(offset - 0.45, 0))
        axes.add_patch(PathPatch(path, facecolor=_COLORS[letter], linewidth=0))
    axes.set_xlim(offsets.min() - 1, offsets.max() + 1)
    low, high = min(0.0, heights.min()), max(0.0, heights.max())
    room = 0.05 * (high - low) or 1.0
    axes.set_ylim(low - room, high + room)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
