"""What is fuzzed: for each kind of input a strategy, and a check that says whether it was accepted.

A check fails (raises) when an input ends in anything but a result that a simple, independent reading of the same
input agrees with, or the one error that users are promised.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import fuzz_inputs as inputs
import fuzz_reference as reference
import numpy as np
from fuzz_commands import SHEETS, check_command, check_process, command_lines
from fuzz_models import check_model, model_files
from fuzz_pieces import check_pieces, damaged_folders
from hypothesis import strategies as st

from genoscan.scanner.calling.channels import channels_of
from genoscan.scanner.card import parse_card
from genoscan.scanner.encoding.encoder import encoder
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.scanner.reading.genome import open_genome
from genoscan.scanner.reading.regions import parse_regions
from genoscan.scanner.sheet import read_sheet


class Target(NamedTuple):
    """One kind of input. ``check(folder, input)`` may use the folder as it likes; true: the input was accepted.

    of_bytes makes an input from any bytes, for fuzzers that know nothing else; None where that would be noise.
    """

    inputs: st.SearchStrategy
    check: Callable[[Path, object], bool]
    of_bytes: Callable[[bytes], object] | None = None


def _require(error: GenoscanError, kind: type, said: str = "") -> None:
    """The error must be of this kind, say something, and name what it is about."""
    assert type(error) is kind, f"kind of error: {error!r}"
    assert str(error).strip(), "an error that says nothing"
    assert said in str(error), f"the error does not name {said}: {error}"


def _compare(read: object, expected: object) -> bool:
    """Whether the input was accepted, once it is clear that it is so by both readers, and read alike."""
    assert read is None or expected is not None, f"accepted, but should be refused: {read}"
    assert expected is None or read is not None, f"refused, but should be read: {expected}"
    assert read == expected, f"read otherwise: {read}, expected {expected}"
    return read is not None


# ---- genomes


def _contigs_of(path: Path) -> dict[str, list[int]] | None:
    """What genoscan reads in a file: codes by contig, or None if it refuses."""
    warnings: list[str] = []
    try:
        with open_genome(path, warn=warnings.append) as genome:
            lengths = [int(length) for length in genome.lengths]
            whole = {name: genome.codes(at, 0, lengths[at]) for at, name in enumerate(genome.names)}
            for at, codes in enumerate(whole.values()):
                third = lengths[at] // 3
                pieces = [genome.codes(at, begin, end) for begin, end in ((0, third), (third, lengths[at] - third))]
                assert np.array_equal(np.concatenate(pieces), codes[: lengths[at] - third]), "pieces differ"
            genome.digest()
    except GenoscanError as error:
        _require(error, GenoscanError, str(path))
        return None
    warned = any("bedtools skips" in text for text in warnings)
    assert warned == any(map(reference.skipped_by_bedtools, whole)), f"warned of names: {warned}"
    return {name: codes.tolist() for name, codes in whole.items()}


def _expected(data: bytes) -> dict[str, list[int]] | None:
    try:
        return None if reference.lacks_bgzip_end(data) else reference.read_fasta(reference.unpack(data))
    except reference.Refused:
        return None


def _only(folder: Path, files: Iterable[str]) -> None:
    left = set(os.listdir(folder)) - set(files)
    for name in left:
        (folder / name).unlink()
    assert not left, f"stray files: {left}"


def check_fasta(folder: Path, data: bytes) -> bool:
    """Accepted or refused just as the simple reader does, with the same codes."""
    path = folder / "genome.fa.gz"
    path.write_bytes(data)
    read, expected = _contigs_of(path), _expected(data)
    _only(folder, [path.name])
    return _compare(read, expected)


def check_indexed(folder: Path, pair: tuple[bytes, bytes]) -> bool:
    """A .fai beside the file never changes what is read; one that is not the file's own may have it refused."""
    text, fai = pair
    path, index = folder / "genome.fa", folder / "genome.fa.fai"
    path.write_bytes(text)
    index.write_bytes(fai)
    now = path.stat().st_mtime_ns
    os.utime(index, ns=(now, now))
    read, expected = _contigs_of(path), _expected(text)
    assert index.read_bytes() == fai
    _only(folder, [path.name, index.name])
    blanks = re.search(rb"^[^>\n]*[ \t\v\f]", text, re.MULTILINE)  # only the first line end of a record is looked at
    if read is None and (blanks or fai != inputs.fai_of(text)):
        return False
    return _compare(read, expected)


# ---- regions


def _parsed(folder: Path, texts: list[str]) -> list[tuple[int, int, int]] | None:
    path = folder / "contigs.fa"
    if not path.exists():
        path.write_bytes(inputs.fasta_text([(name, "A" * length) for name, length in inputs.CONTIGS.items()]))
    try:
        with open_genome(path, warn=[].append) as genome:
            return [tuple(map(int, one)) for one in parse_regions(texts, genome.names, genome.lengths, "genome.fa")]
    except UsageError as error:
        _require(error, UsageError)
        return None


def check_regions(folder: Path, texts: list[str]) -> bool:
    """Just the bases that a base-by-base reading of the same texts covers, or an error where that finds one."""
    parsed = _parsed(folder, texts)
    try:
        expected = reference.covered([reference.read_region(text, inputs.CONTIGS) for text in texts], inputs.CONTIGS)
    except reference.Refused:
        expected = None
    return _compare(parsed, expected)


def check_bed(folder: Path, data: bytes) -> bool:
    """As for `check_regions`, for a file."""
    path = folder / "regions.bed"
    path.write_bytes(data)
    parsed = _parsed(folder, [str(path)])
    try:
        expected = reference.covered(reference.read_bed(data, inputs.CONTIGS), inputs.CONTIGS)
    except reference.Refused:
        expected = None
    _only(folder, [path.name, "contigs.fa"])
    return _compare(parsed, expected)


# ---- sample sheets


def check_sheet(folder: Path, sheet: tuple[bytes, tuple[str, ...]]) -> bool:
    """Read as the simple reader does, or refused with a line that names the sheet."""
    data, models = sheet
    path = folder / "sheet.tsv"
    path.write_bytes(data)
    try:
        read = [tuple(vars(one).values()) for one in read_sheet(str(path), models)]
    except UsageError as error:
        _require(error, UsageError, str(path))
        read = None
    try:
        expected = reference.read_sheet(data, models)
    except reference.Refused:
        expected = None
    return _compare(read, expected)


# ---- cards


def check_card(folder: Path, text: str) -> bool:  # noqa: ARG001 (every check is called alike)
    """A card that is accepted survives writing and reading, and windows of bases can be encoded as it says."""
    try:
        card = parse_card(text, "model.onnx")
    except GenoscanError as error:
        _require(error, GenoscanError, "model.onnx: wrong model card: ")
        return False
    assert parse_card(card.to_json(), "again") == card
    json.loads(card.to_json(), parse_constant=int)
    channels_of(card)
    try:
        encode = encoder(card)
    except GenoscanError as error:
        _require(error, GenoscanError, "toy")
        return False
    window = card.shortest_window or card.window
    shape = encode.window_shape(window)
    if window <= 2**12 and np.prod(shape, dtype=float) <= 2**22:
        codes = np.resize(np.arange(5, dtype=np.uint8), (2, window))
        tensor = np.zeros((2, *shape), dtype=encode.dtype)
        encode.encode(codes, tensor)
    return True


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


TARGETS: dict[str, Target] = {
    "fasta": Target(inputs.packed(inputs.spoilt(inputs.fasta_documents())), check_fasta, bytes),
    "fai": Target(
        inputs.indexed(),
        check_indexed,
        lambda data: (inputs.fasta_text([("one", "ACGTN" * 9), ("two", "ACGT")], 10), data),
    ),
    "regions": Target(
        st.lists(inputs.region_texts(), min_size=1, max_size=3), check_regions, lambda data: [_text(data)]
    ),
    "bed": Target(inputs.packed(inputs.spoilt(inputs.bed_documents(), (0, 0, 0, 1, 1, 2))), check_bed, bytes),
    "sheet": Target(
        st.tuples(inputs.spoilt(SHEETS), st.sampled_from([(), ("m.onnx",)])),
        check_sheet,
        lambda data: (data, ("m.onnx",)),
    ),
    "card": Target(inputs.card_texts(), check_card, _text),
    "model": Target(model_files(), check_model),
    "pieces": Target(damaged_folders(), check_pieces),
    "command": Target(command_lines(), check_command),
    "process": Target(command_lines(), check_process),
}
"""Targets by name."""
