"""The contigs of a bigBed or bigWig: names, numbers and lengths as a B+ tree.

Format: Kent et al., BigWig and BigBed, Bioinformatics 26 (2010), 2204, and its supplement. pybigtools writes one node
for all contigs and counts them in its 16 bits: of 65,536 contigs and more, no reader finds but a part.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

_MAGIC = 0x78CA8C91
_NODE = 256
"""Most contigs, or nodes, that a node lists."""
_HEADER, _VALUE = 32, 8
_TREE_AT = 8
"""Where a file's header holds the place of its tree."""


def contig_tree(contigs: Sequence[tuple[bytes, int]], at: int) -> bytes:
    """The tree of contigs (name, length in bases), sorted by name and numbered in this order, as it is at the byte
    ``at`` of a file."""
    width = max(len(name) for name, _ in contigs)
    items = [(name, struct.pack("<2I", number, length)) for number, (name, length) in enumerate(contigs)]
    levels: list[list[list[tuple]]] = [_nodes(items)]
    while len(levels[0]) > 1:
        levels.insert(0, _nodes([(node[0][0], number) for number, node in enumerate(levels[0])]))
    places, end = [], at + _HEADER
    for level in levels:
        places.append([])
        for node in level:
            places[-1].append(end)
            end += 4 + len(node) * (width + _VALUE)
    out = bytearray(struct.pack("<4I2Q", _MAGIC, min(_NODE, len(contigs)), width, _VALUE, len(contigs), 0))
    for depth, level in enumerate(levels):
        leaf = depth == len(levels) - 1
        for node in level:
            out += struct.pack("<BBH", leaf, 0, len(node))
            for name, value in node:
                out += name.ljust(width, b"\0") + (value if leaf else struct.pack("<Q", places[depth + 1][value]))
    return bytes(out)


def _nodes(items: list[tuple]) -> list[list[tuple]]:
    return [items[start : start + _NODE] for start in range(0, len(items), _NODE)]


def replace_tree(path: Path, contigs: Sequence[tuple[bytes, int]]) -> None:
    """Give a file a tree of its contigs, as for `contig_tree`, in place of its own."""
    with path.open("r+b") as file:
        magic = file.read(4)
        at = file.seek(0, 2)
        file.write(contig_tree(contigs, at) + magic)  # which the format has at a file's end, too
        file.seek(_TREE_AT)
        file.write(struct.pack("<Q", at))
