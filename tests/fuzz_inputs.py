"""What the fuzzers feed: valid documents of each kind as hypothesis strategies, and the ways in which they are spoilt.

Most of what is drawn is valid or nearly so: noise would be refused at its first byte and test nothing behind it.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections.abc import Callable
from copy import deepcopy

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy], object]

SNIPPETS = (
    b"\n", b"\r", b"\r\n", b"\t", b" ", b"\x00", b">", b">x\n", b"#", b";", b"@", b"-", b"*", b"!", b"N" * 40,
    b"\xef\xbb\xbf", b"\xff", b"\xff\xfe", b"\xed\xb0\x80", b"\x1a", b"\x1b[31m", b"\x0b", b"\x1c", b"\x1f\x8b",
    "é".encode(), "\u0085".encode(), "\u00a0".encode(), "\u2028".encode(), "\u0661".encode(), "\U0001f9ec".encode(),
)  # fmt: skip
LINE_ENDS = (b"\r\n", b"\r", b"\n\n", b"\n\r", b"\r\r\n", b" \n", b"\x0b", b"\x0c\n", "\u2028".encode())
NUMBERS = (
    b"0", b"-1", b"1", b"007", b"1.5", b"1e3", b"+1", b"1_0", b"0x1", b"nan", b"inf", b"", b"2147483648",
    b"9223372036854775807", b"9223372036854775808", b"1" + b"0" * 30, b"9" * 5000, "\u0661".encode(), "\u00b2".encode(),
)  # fmt: skip


# ---- spoiling bytes


def _place(draw: Draw, data: bytes) -> int:
    return draw(st.integers(0, len(data)))


def _flip_a_bit(draw: Draw, data: bytes) -> bytes:
    if not data:
        return data
    place = draw(st.integers(0, len(data) - 1))
    return data[:place] + bytes([data[place] ^ 1 << draw(st.integers(0, 7))]) + data[place + 1 :]


def _cut_short(draw: Draw, data: bytes) -> bytes:
    return data[: _place(draw, data)]


def _insert(draw: Draw, data: bytes) -> bytes:
    place = _place(draw, data)
    return data[:place] + draw(st.sampled_from(SNIPPETS)) + data[place:]


def _put_before(draw: Draw, data: bytes) -> bytes:
    return draw(st.sampled_from(SNIPPETS)) + data


def _put_after(draw: Draw, data: bytes) -> bytes:
    return data + draw(st.sampled_from(SNIPPETS))


def _leave_out(draw: Draw, data: bytes) -> bytes:
    begin, end = sorted((_place(draw, data), _place(draw, data)))
    return data[:begin] + data[end:]


def _repeat(draw: Draw, data: bytes) -> bytes:
    begin, end = sorted((_place(draw, data), _place(draw, data)))
    times = draw(st.sampled_from((2, 2, 3, 100, 3000)))
    return data[:end] + data[begin:end] * min(times, 200_000 // max(1, end - begin)) + data[end:]


def _lines(change: Callable[[list[bytes], int], list[bytes]]) -> Callable[[Draw, bytes], bytes]:
    def changed(draw: Draw, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        return b"".join(change(lines, draw(st.integers(0, len(lines) - 1)))) if lines else data

    return changed


def _end_lines(draw: Draw, data: bytes) -> bytes:
    return data.replace(b"\n", draw(st.sampled_from(LINE_ENDS)))


def _end_a_line(draw: Draw, data: bytes) -> bytes:
    places = [one.start() for one in re.finditer(b"\n", data)]
    if not places:
        return data
    place = draw(st.sampled_from(places))
    return data[:place] + draw(st.sampled_from(LINE_ENDS)) + data[place + 1 :]


def _change_a_number(draw: Draw, data: bytes) -> bytes:
    places = [one.span() for one in re.finditer(rb"\d+", data)]
    if not places:
        return data
    begin, end = draw(st.sampled_from(places))
    near = str(int(data[begin:end][:18]) + draw(st.integers(-2, 2))).encode()
    return data[:begin] + draw(st.sampled_from((near, near, *NUMBERS))) + data[end:]


_repeat_a_line = _lines(lambda lines, at: [*lines[: at + 1], *lines[at:]])
_drop_a_line = _lines(lambda lines, at: lines[:at] + lines[at + 1 :])
_move_a_line = _lines(lambda lines, at: [lines[at], *lines[:at], *lines[at + 1 :]])

SPOILERS = (
    _flip_a_bit, _cut_short, _insert, _put_before, _put_after, _leave_out, _repeat, _repeat_a_line, _drop_a_line,
    _move_a_line, _end_lines, _end_a_line, _change_a_number,
)  # fmt: skip
HOW_OFTEN = (0, 0, 1, 1, 1, 2, 3)


@st.composite
def spoilt(draw: Draw, documents: st.SearchStrategy[bytes], how_often: tuple[int, ...] = HOW_OFTEN) -> bytes:
    """A document after so many changes."""
    data = draw(documents)
    for _ in range(draw(st.sampled_from(how_often))):
        data = draw(st.sampled_from(SPOILERS))(draw, data)
    return data


@st.composite
def flipped(draw: Draw, data: bytes) -> bytes:
    """The same number of bytes, a bit or two of them turned."""
    for _ in range(draw(st.integers(1, 2))):
        data = _flip_a_bit(draw, data)
    return data


# ---- FASTA and its index

NAMES = st.sampled_from(
    ["one", "two", "chr1", "chr10", "chrM", "1", "chr1:5", "chr1:1-2", "HLA-A*01:01", "a#1#b", "gi|1|x", "-", "a,b",
     "é", "x\u00a0y", "\u2028z", "n" * 300, ":", "a:", ">", "+", "NA"] * 2
    + ["#x", "track1", "Tracks", "browser", "chrom", "!x", "Visibility", "x\x1b[1m"]
)  # fmt: skip
LETTERS = st.text("ACGTACGTACGTacgtNnURYKMx", max_size=90)


@st.composite
def records(draw: Draw) -> list[tuple[str, str]]:
    """Names and letters of a genome's records."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=draw(st.sampled_from([lambda one: one, id]))))
    return [(name, draw(LETTERS)) for name in names]


def fasta_text(contigs: list[tuple[str, str]], width: int = 60, end: str = "\n") -> bytes:
    lines = []
    for name, letters in contigs:
        lines += [f">{name}", *(letters[at : at + width] for at in range(0, len(letters), width))]
    return "".join(line + end for line in lines).encode()


@st.composite
def fasta_documents(draw: Draw) -> bytes:
    """A valid FASTA, or one with a slip that people make (two records of one name, no bases)."""
    text = fasta_text(
        draw(records()), draw(st.sampled_from((1, 7, 30, 60))), draw(st.sampled_from(("\n", "\n", "\r\n")))
    )
    return text if draw(st.booleans()) else text.rstrip(b"\r\n")


def bgzip(data: bytes, block: int = 100) -> bytes:
    """Blocked gzip as in the SAM specification, section 4.1, ended by its marker."""
    out = []
    for piece in [*(data[at : at + block] for at in range(0, len(data), block)), b""]:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        deflated = packer.compress(piece) + packer.flush()
        size = (len(deflated) + 25).to_bytes(2, "little")
        tail = zlib.crc32(piece).to_bytes(4, "little") + len(piece).to_bytes(4, "little")
        out.append(b"\x1f\x8b\x08\x04" + bytes(4) + b"\x00\xff\x06\x00BC\x02\x00" + size + deflated + tail)
    return b"".join(out)


PACKERS = (
    lambda data: data,
    lambda data: data,
    lambda data: gzip.compress(data, 1, mtime=0),
    lambda data: gzip.compress(data[:30], 1, mtime=0) + gzip.compress(data[30:], 1, mtime=0),
    bgzip,
)


@st.composite
def packed(draw: Draw, documents: st.SearchStrategy[bytes]) -> bytes:
    """Documents as they are or compressed; what is compressed may be spoilt once more."""
    data = draw(documents)
    wrapped = draw(st.sampled_from(PACKERS))(data)
    return wrapped if wrapped == data else draw(spoilt(st.just(wrapped), (0, 0, 0, 1)))


def fai_of(fasta: bytes) -> bytes:
    """The index that `samtools faidx` writes, nothing where it refuses: lines of a record that differ in length.

    Bases are what is neither blank nor line end.
    """
    rows: list[list] = []
    place, ended = 0, False
    for line in re.findall(rb"[^\n]*\n|[^\n]+", fasta):
        bases = line.translate(None, b" \t\v\f\r\n")
        if line.startswith(b">"):
            rows.append([line[1:].split()[0] if line[1:].split() else b"", 0, place + len(line), 0, 0])
            ended = False
        elif rows:
            if ended and bases:
                return b""
            rows[-1][1] += len(bases)
            if not rows[-1][3]:
                rows[-1][3:] = len(bases), len(line)
            ended = (len(bases), len(line)) != tuple(rows[-1][3:])
            if len(bases) > rows[-1][3]:
                return b""
        place += len(line)
    return b"".join(b"\t".join([name, *(b"%d" % one for one in numbers)]) + b"\n" for name, *numbers in rows)


@st.composite
def indexed(draw: Draw) -> tuple[bytes, bytes]:
    """A FASTA and the .fai beside it: one of them, or the pair, may be spoilt."""
    fasta = draw(fasta_documents())
    spoil = draw(st.sampled_from(("nothing", "fasta", "fai", "fai", "both")))
    text = draw(spoilt(st.just(fasta), (1, 2))) if spoil in ("fasta", "both") else fasta
    fai = fai_of(text if spoil == "both" else fasta)
    return text, draw(spoilt(st.just(fai), (1, 2))) if spoil == "fai" else fai


# ---- regions

CONTIGS = {"one": 60, "chr1": 40, "chr1:5": 9, "HLA-A*01:01": 33, "x\u00a0y": 12, "void": 0, "2": 5}
"""Names and lengths of the genome that regions are drawn for."""

_ODD_BOUNDS = (
    "1,0",
    "1,",
    ",1",
    "00001",
    "1e1",
    "-1",
    "9" * 30,
    "9" * 4400,
    "0" * 31 + "5",
    "\u0661",
    "1.0",
    " 5",
    "5\n",
    "0",
    "41",
)
_SHAPES = ("{0}", "{0}:{1}", "{0}:{1}-", "{0}:-{2}", "{0}:{1}-{2}", "{0}:{1}-{2}", "{0}:{1}-{2}")
_ODD_SHAPES = ("{0}:", "{0}:-", "{0}:{1}:{2}", "{0}:{1}--{2}", "{0} {1} {2}", "{0}:{2}-{1}", "three", "", "nix:{1}-{2}")


@st.composite
def region_texts(draw: Draw) -> str:
    """A region, right or nearly right."""
    oddity = draw(st.sampled_from(["none"] * 8 + ["bound", "shape", "bytes"]))
    name = draw(st.sampled_from([*CONTIGS]))
    bounds = [str(one) for one in sorted((draw(st.integers(1, 60)), draw(st.integers(1, 60))))]
    if oddity != "shape":
        bounds = [str(min(int(one), max(1, CONTIGS[name]))) for one in bounds]
    if oddity == "bound":
        bounds[draw(st.integers(0, 1))] = draw(st.sampled_from(_ODD_BOUNDS))
    text = draw(st.sampled_from(_ODD_SHAPES if oddity == "shape" else _SHAPES)).format(name, *bounds)
    return draw(spoilt(st.just(text.encode()), (1,))).decode(errors="surrogateescape") if oddity == "bytes" else text


@st.composite
def bed_documents(draw: Draw) -> bytes:
    """A BED file over `CONTIGS`."""
    lines = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["tab"] * 12 + ["space", "comment", "blank", "track", "loose"]))
        name = draw(st.sampled_from([*CONTIGS]))
        if kind == "loose":
            bounds = [draw(st.integers(0, 70)), draw(st.integers(0, 70))]
        else:
            bounds = sorted((draw(st.integers(0, CONTIGS[name])), draw(st.integers(0, CONTIGS[name]))))
        more = draw(st.sampled_from([[], [], ["name"], ["name", "0", "+"], [""]]))
        columns = [name, *map(str, bounds), *more]
        fixed = {"comment": "#chrom\tstart", "blank": "", "track": "track name=x", "space": " ".join(columns)}
        lines.append(fixed.get(kind, "\t".join(columns)))
    return "".join(f"{line}\n" for line in lines).encode()


# ---- sample sheets

SAMPLES = st.sampled_from(["one", "two", "a b", "é", "x.pieces", "n" * 60, "one.gc", "-", "*", "x\u2028y"] * 4
                          + ["n" * 300, "../up", ".", "", "a/b", "#x", "x\x1b[1m"])  # fmt: skip
_COLUMNS = ("sample", "genome", "models", "regions")


@st.composite
def sheets(draw: Draw, genomes: tuple[str, ...], models: tuple[str, ...], regions: tuple[str, ...]) -> bytes:
    """A sample sheet: columns in any order, with and without models and regions, some files that are not there."""
    columns = draw(st.permutations(_COLUMNS[: draw(st.sampled_from((2, 3, 3, 4)))]))
    rows = [columns]
    for name in draw(st.lists(SAMPLES, min_size=1, max_size=3, unique_by=draw(st.sampled_from([lambda one: one, id])))):
        cells = {
            "sample": name,
            "genome": draw(st.sampled_from((*genomes, *genomes, "nix.fa"))),
            "models": draw(
                st.sampled_from(("", models[0], models[0], ",".join(models[:2]), f" {models[-1]} ,", "nix"))
            ),
            "regions": draw(st.sampled_from(("", "", "", regions[0], ";".join(regions[:2]), " ;", "nix"))),
        }
        rows.append([cells[column] for column in columns])
        if draw(st.integers(0, 9)) == 5:
            rows.append(draw(st.sampled_from([["#", "note"], [""], ["", "", ""], ["one"]])))
    return "".join("\t".join(row) + "\n" for row in rows).encode()


# ---- cards

ODD_VALUES = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 2, 3, 16, 64, 0.5, 1e300, -1e300, 1e-320]),
    st.sampled_from([math.nan, math.inf, -math.inf, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400]),
    st.sampled_from(["", "x", "8", "nan", "é", "a\tb", "\x00", "n" * 300]),
    st.sampled_from(
        [[], [1], [0.0, 0.0], ["a", "a"], [None], [[[[]]]], [-1], [2**63], [1, 2, 3], {}, {"kind": "kmer"}]
    ),
    st.integers(-3, 70),
)


_FEW = st.lists(st.integers(0, 9), max_size=2)


def _input_parts(draw: Draw) -> dict:
    kind = draw(st.sampled_from(["nucleotide", "kmer", "spectrum"]))
    if kind == "nucleotide":
        return {"kind": kind, "layout": draw(st.sampled_from(["one-hot", "codes"]))}
    if kind == "spectrum":
        return {"kind": kind, "lags": draw(st.sampled_from((64, 256)))}  # each other one is compiled for
    return {
        "kind": kind, "k": draw(st.integers(1, 12)), "stride": draw(st.integers(1, 20)),
        "letters": draw(st.permutations("ACGT").map("".join)), "offset": draw(st.integers(0, 10)), "unknown": 1,
        "prefix": draw(_FEW), "suffix": draw(_FEW),
    }  # fmt: skip


@st.composite
def card_fields(draw: Draw) -> dict:
    """The fields of a valid card."""
    task = draw(st.sampled_from(["segmentation", "classification", "regression"]))
    bins = draw(st.sampled_from((1, 4, 16)))
    step, context = 16 * draw(st.integers(1, 8)), 16 * draw(st.integers(0, 4))
    names = draw(st.lists(st.sampled_from(["a", "b", "two words", "n" * 255]), min_size=1, max_size=3, unique=True))
    low, high = sorted(draw(st.tuples(st.integers(-200_000, 200_000), st.integers(-200_000, 200_000))))
    return {
        "name": draw(st.sampled_from(["toy", "a.b-c_d", "9", "n" * 100])), "version": "1", "task": task,
        "input": _input_parts(draw), "window": step + 2 * context, "step": step, "context": context,
        "strand": draw(st.sampled_from(["both", "forward", "symmetric"])),
        "max_unknown": draw(st.floats(0, 1)),
        "output": {"names": names, "activation": draw(st.sampled_from(["sigmoid", "softmax", "identity"])),
                   "bin": bins if task == "segmentation" else step, "called": names[: draw(st.integers(0, 2))]},
        "calling": {"threshold": high, "extend": low, "gap": draw(st.integers(0, 99)), "min_length": 1},
        "track": {"name": draw(st.sampled_from(["", "called"])), "score_range": [0.0, draw(st.floats(0.001, 100))]},
        "provenance": {"metrics": {"mcc": 0.5}, "precision": "fp32"},
    }  # fmt: skip


def _places(part: object, path: tuple = ()) -> list[tuple]:
    """The paths of all that a JSON document holds."""
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [place for key, value in items for place in [(*path, key), *_places(value, (*path, key))]]


def change_a_field(draw: Draw, fields: dict) -> None:
    """Set, delete or add something anywhere in a JSON document."""
    *parents, last = draw(st.sampled_from(_places(fields)))
    part = fields
    for parent in parents:
        part = part[parent]
    how = draw(st.sampled_from(["set", "set", "set", "near", "delete", "add"]))
    if how == "delete":
        del part[last]
    elif how == "add" and isinstance(part, dict):
        name = draw(st.sampled_from(["shortest_window", "description", "unknown", "", "kind", "offset"]))
        part[name] = deepcopy(draw(ODD_VALUES))
    elif how == "near" and isinstance(part[last], int | float):
        part[last] *= draw(st.sampled_from((0, 2, 0.5, -1, 10**3, 10**6, 10**12, 10**18, 10**24)))
    else:
        part[last] = deepcopy(draw(ODD_VALUES))  # the next change may be within


TEXT_SPOILERS = (
    lambda text: text[:-1] + ', "name": "twice"}',
    lambda text: text.replace("{", "[" * 100_000, 1),
    lambda text: text.replace("{", '{"name":' * 50_000, 1),
    lambda text: text.replace("{", '{"deep": ' + "[" * 500 + "]" * 500 + ",", 1),
    lambda text: text.replace('"', "'"),
    lambda text: text[:-1] + ",}",
    lambda text: text + text,
    lambda text: json.dumps(text),
    lambda text: text.replace("toy", "\\ud800"),
    lambda text: text.replace("toy", "\\u0000"),
    lambda text: text.replace('"1"', '"' + "v" * 1_000_000 + '"'),
    lambda text: text.replace("16", "16.0"),
    lambda text: text.replace("1", "1" * 5000, 1),
)


@st.composite
def card_texts(draw: Draw) -> str:
    """A card as JSON: valid, with a wrong field or two, or no proper JSON."""
    fields = draw(card_fields())
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 1, 1, 2)))):
        change_a_field(draw, fields)
    text = json.dumps(fields, ensure_ascii=draw(st.booleans()))
    how = draw(st.sampled_from(["keep"] * 8 + ["text", "bytes"]))
    if how == "text":
        return draw(st.sampled_from(TEXT_SPOILERS))(text)
    return draw(spoilt(st.just(text.encode()), (1,))).decode(errors="replace") if how == "bytes" else text
