"""Simple, independent readings of what genoscan reads and writes, written for clarity: the fuzzers' judges."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pysam


class Refused(Exception):
    """The simple reader does not take the input."""


# ---- genomes

CODE_OF = {**dict.fromkeys(b"Aa", 0), **dict.fromkeys(b"Cc", 1), **dict.fromkeys(b"Gg", 2), **dict.fromkeys(b"TtUu", 3),
           **dict.fromkeys(b"RYSWKMBDHVNXryswkmbdhvnx", 4)}  # fmt: skip
_BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def unpack(data: bytes) -> bytes:
    """The text in a plain, gzip or bgzip file."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise Refused("not gzip") from None


def lacks_bgzip_end(data: bytes) -> bool:
    return data[:2] == b"\x1f\x8b" and data[3:4] == b"\x04" and data[12:14] == b"BC" and not data.endswith(_BGZIP_END)


def _is_protein(letters: bytes) -> bool:
    sample = letters[:10_000]
    return len(sample) >= 20 and 2 * sum(letter in b"ACGTUNacgtun" for letter in sample) < len(sample)


def read_fasta(text: bytes) -> dict[str, list[int]]:
    """Contigs and their codes."""
    if re.search(rb"\r(?!\r|\n|\Z)", text):
        raise Refused("lone carriage return")
    contigs: dict[str, bytes] = {}
    name = None
    for line in text.split(b"\n"):
        if line.startswith(b">"):
            words = line[1:].replace(b"\r", b"").translate(bytes.maketrans(b"\t\v\f", b"   ")).split(b" ")
            words = [word for word in words if word]
            try:
                name = words[0].decode()
            except (IndexError, UnicodeDecodeError):
                raise Refused("name") from None
            if name in contigs:
                raise Refused("name twice")
            if name.startswith(("#", "track", "browser")) or any(one < " " or one == "\x7f" for one in name):
                raise Refused("no name for BED")
            contigs[name] = b""
        else:
            letters = line.translate(None, b" \t\v\f\r")
            if letters and (name is None or set(letters) - set(CODE_OF)):
                raise Refused("letters")
            if letters:
                contigs[name] += letters
    if not any(contigs.values()) or any(map(_is_protein, contigs.values())):
        raise Refused("no bases or protein")
    return {name: [CODE_OF[letter] for letter in letters] for name, letters in contigs.items()}


def skipped_by_bedtools(name: str) -> bool:
    """Whether bedtools takes a line that begins with this name for a header."""
    low = name.encode().lower()  # of bytes: ASCII only
    return low == b"chrom" or low.startswith((b">", b"!", b"track", b"browser", b"visibility"))


# ---- regions

Region = tuple[str, int, int]


def read_region(text: str, lengths: Mapping[str, int]) -> Region:
    """Contig and 0-based half-open bounds of a region."""
    if text in lengths:
        return text, 0, lengths[text]
    name, colon, bounds = text.rpartition(":")
    if not colon or name not in lengths:
        raise Refused("contig")
    first, _, last = bounds.partition("-")
    for bound in (first, last):
        if bound and (set(bound) - set("0123456789,") or bound.startswith(",") or len(bound) > 31):
            raise Refused("number")
    if not first and not last:
        raise Refused("no bounds")
    start = int(first.replace(",", "")) if first else 1
    end = int(last.replace(",", "")) if last else lengths[name]
    if not 1 <= start <= end <= lengths[name]:
        raise Refused("bounds")
    return name, start - 1, end


def read_bed(data: bytes, lengths: Mapping[str, int]) -> list[Region]:
    """Intervals of a BED file, plain or gzip."""
    try:
        text = unpack(data).decode()
    except UnicodeDecodeError:
        raise Refused("not text") from None
    found = []
    for line in text.split("\n"):
        columns = [one.strip() for one in line.split("\t")] if "\t" in line else line.split()
        if not line.strip() or line.startswith("#") or line.split()[0] in ("track", "browser"):
            continue
        if len(columns) < 3 or columns[0] not in lengths:
            raise Refused("columns")
        if any(set(bound) - set("0123456789") or not 0 < len(bound) < 19 for bound in columns[1:3]):
            raise Refused("number")
        start, end = map(int, columns[1:3])
        if not start <= end <= lengths[columns[0]]:
            raise Refused("bounds")
        found.append((columns[0], start, end))
    return found


def covered(regions: Iterable[Region], lengths: Mapping[str, int]) -> list[tuple[int, int, int]]:
    """Maximal stretches that the regions cover, base by base: (contig's number, start, end)."""
    marks = {name: bytearray(length) for name, length in lengths.items()}
    for name, start, end in regions:
        marks[name][start:end] = b"x" * (end - start)
    found = [
        (number, *stretch.span()) for number, mark in enumerate(marks.values()) for stretch in re.finditer(b"x+", mark)
    ]
    if not found:
        raise Refused("no bases")
    return found


# ---- tracks

BED_HEADER = "#chrom\tstart\tend\tname\tscore\tstrand"
ANNOTATED_HEADER = (
    f"{BED_HEADER}\tperiod\tcopyNum\tconsensusSize\tperMatch\tperIndel\tpurity\tA\tC\tG\tT\tentropy\tsequence"
)


def track_problem(data: bytes, lengths: Mapping[str, int]) -> str:
    """What is wrong with a BED or bedGraph track of the genome with these contigs, in this order; '' if nothing."""
    lines = data.decode().split("\n")
    if lines.pop() != "":
        return "the last line has no end"
    is_bed = lines[:1] in ([BED_HEADER], [ANNOTATED_HEADER])
    width = lines[0].count("\t") + 1 if is_bed else 4
    order = {name: number for number, name in enumerate(lengths)}
    before: tuple[int, int, int] = (-1, 0, 0)
    for line in lines[1:] if is_bed else lines:
        columns = line.split("\t")
        if len(columns) != width or columns[0] not in lengths or columns[0].startswith("#"):
            return f"columns of {line!r}"
        start, end = int(columns[1]), int(columns[2])
        here = (order[columns[0]], start, end)
        if not 0 <= start < end <= lengths[columns[0]]:
            return f"bounds of {line!r}"
        if here < before or (not is_bed and here[0] == before[0] and start < before[2]):
            return f"order at {line!r}"
        if is_bed and not (columns[3] and 0 <= int(columns[4]) <= 1000 and columns[5] in ("+", "-", ".")):
            return f"name, score or strand of {line!r}"
        if not is_bed and not abs(float(columns[3])) <= 200_000:
            return f"score of {line!r}"
        if width > 6 and not (all(float(one) >= 0 for one in columns[6:17]) and set(columns[17]) <= set("ACGTN")):
            return f"what is said in {line!r}"
        before = here
    return ""


def check_files(paths: Iterable[Path], genomes: Iterable[Mapping[str, int]]) -> None:
    """Tracks, their indexes and their summaries, all that a scan writes; each track fits one of the genomes.

    Also the table of a folder's tracks, and finished pieces, which are not looked into.
    """
    pieces = {path for path in paths if ".pieces" in (path.suffix, path.parent.suffix)}
    odd = [path for path in pieces if not re.fullmatch(r".*\.pieces|lock|manifest\.json|\d{8}-\d{8}\.piece", path.name)]
    assert not odd, f"among the finished pieces: {odd}"
    paths = set(paths) - pieces
    tables = {path for path in paths if path.name == "summary.tsv"}
    paths -= tables
    summaries = {path: json.loads(path.read_text()) for path in paths if path.name.endswith(".json")}
    tracks = {path for path in paths if not path.name.endswith((".json", ".csi"))}
    left = {path for path in tracks if path.name.endswith(".partial")}
    assert not left, f"left behind: {left}"
    formats = {
        path.parent / name: found["options"]["format"] for path, found in summaries.items() for name in found["files"]
    }
    assert formats.keys() == tracks, f"the summaries have {formats.keys()}, the folders {tracks}"
    for table in tables:
        check_table(table, {track.name for track in tracks if track.parent == table.parent})
    for track, format_ in formats.items():
        data = track.read_bytes()
        packed = track.name.endswith(".gz")
        text = gzip.decompress(data) if packed else data
        if format_ in ("bed", "bedgraph"):
            problems = [track_problem(text, genome) for genome in genomes]
            assert "" in problems, f"{track}: {problems}"
        if packed:
            with pysam.TabixFile(str(track), index=f"{track}.csi") as indexed:
                names = {line.split(b"\t")[0].decode() for line in text.splitlines() if not line.startswith(b"#")}
                assert set(indexed.contigs) == names, "the index lacks contigs"
    stray = paths - tracks - summaries.keys() - {Path(f"{track}.csi") for track in tracks}
    assert not stray, f"stray files: {stray}"


_TABLE = ["sample", "genome", "model", "track", "bases", "calls", "covered_share", "mb_per_second", "status"]


def check_table(path: Path, tracks: set[str]) -> None:
    """A summary of a batch: a row for each of the tracks whose files are in its folder, and for those that failed."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file, delimiter="\t")
    assert header == _TABLE, header
    complete = set()
    for row in rows:
        cells = dict(zip(_TABLE, row, strict=True))
        if cells["status"] == "complete":
            assert int(cells["calls"]) >= 0, row
            assert int(cells["bases"]) > 0, row
            assert 0 <= float(cells["covered_share"]) <= 1, row
            summary = path.parent / f"{Path(cells['track']).name}.json"
            complete.update(json.loads(summary.read_text(encoding="utf-8"))["files"])
        else:
            assert cells["status"].startswith("failed: "), row
    assert complete == tracks, f"the table has {complete}, the folder {tracks}"


# ---- sample sheets


def read_sheet(data: bytes, models: tuple[str, ...]) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """Name, genome, models and regions of each sample."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("not text") from None
    rows = [line.split("\t") for line in re.split(r"\r\n|\r|\n", text) if line.strip() and not line.startswith("#")]
    header = [name.strip() for name in rows[0]] if rows else []
    if len(set(header)) < len(header) or not {"sample", "genome"} <= set(header) <= {
        "sample",
        "genome",
        "models",
        "regions",
    }:
        raise Refused("columns")
    samples = []
    for row in rows[1:]:
        if len(row) > len(header):
            raise Refused("cells")
        cell = dict.fromkeys(("sample", "genome", "models", "regions"), "") | dict(
            zip(header, map(str.strip, row), strict=False)
        )
        named = tuple(filter(None, map(str.strip, cell["models"].split(",")))) or models
        regions = tuple(filter(None, map(str.strip, cell["regions"].split(";"))))
        if (
            not named
            or not cell["sample"]
            or not cell["genome"]
            or re.search(r"^\.|/|\0", cell["sample"])
            or "\0" in cell["genome"]
        ):
            raise Refused("sample")
        samples.append((cell["sample"], cell["genome"], named, regions))
    if not samples or len({name for name, *_ in samples}) < len(samples):
        raise Refused("samples")
    return samples
