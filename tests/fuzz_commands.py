"""Command lines for the fuzzers, the folder where they run, and the judge of how a command ends.

`OPTIONS` is the table to extend when a command gets an option: its values that mean something, and those that do not.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import commands
import fuzz_inputs as inputs
import onnx
import toys
from fuzz_reference import Refused, check_files, read_fasta, track_problem, unpack
from hypothesis import strategies as st

from genoscan.scanner.errors import one_line

# ---- command lines


class Option(NamedTuple):
    """An option of a command: its name ('' for the arguments themselves), values, how often it is given and repeated.

    Without values it is a flag. good: what means something in `prepare`'s folder; odd: what is refused, or is rare.
    """

    name: str
    good: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    share: float = 0.2
    most: int = 1


_ODD_PATHS = ("", ".", "nix", "nix/nix", "folder", "genome.fa/x", "n" * 300, "\udcff", "é\n\x1b[31m", "~", "*")
_ODD_NUMBERS = ("", "0", "-1", "x", "1.5", "1e3", "nan", "9" * 30, "9" * 5000, "0x10", " 1", "1_0", "\u0661", "\udcff")
_MODEL = Option("--model", ("model.onnx", "both.onnx", "bins.onnx", "said.onnx"), (
                "nix.onnx", "genome.fa", "broken.onnx", "cardless.onnx", "two.onnx", "repeats", "odd\nname.onnx",
                *_ODD_PATHS), 1.0)  # fmt: skip
_OUT_DIR = Option("--out-dir", ("tracks", "tracks", "new/deep"), ("genome.fa", "nix\udcff", *_ODD_PATHS), 0.4)
_RUNNING = (
    Option("--device", ("cpu", "auto"), ("cuda", "tensorrt", "gpu", "", "CPU"), 0.3),
    Option("--threads", ("1", "2", "3"), ("1024", "1025", *_ODD_NUMBERS), 0.4),
    Option("--batch-size", ("1", "2", "5", "64"), ("1048577", "100000", *_ODD_NUMBERS), 0.2),
)
_SCANNING = (
    *_RUNNING,
    Option("--tile-size", ("1", "5", "64", "100000"), _ODD_NUMBERS),
    Option("--threshold", ("0", "0.5", "-1.5", "1e5", "1e-320"), ("inf", "-inf", "1e300", *_ODD_NUMBERS)),
    Option("--min-length", ("1", "7", "9" * 30), _ODD_NUMBERS),
    Option("--format", ("bed", "bedgraph", "gff3"), ("gff", "", "BED")),
    Option("--satellites", ("units.fa",), ("genome.fa", "empty.fa", "model.onnx", "/dev/null", *_ODD_PATHS), 0.1),
    Option("--quiet", share=0.4),
    Option("--resume", share=0.2),
    # Two workers would be processes on Ray, and so would an address that somebody may answer at.
    Option("--workers", ("1",), ("0", "-1", "4097", "", "x", "1.5", "9" * 30), 0.1),
    Option("--gpus-per-worker", ("1", "0.5", "1e-9"), ("0", "1.5", "-1", "nan", "inf", "", "x"), 0.1),
    Option(
        "--ray",
        odd=("ray://x:1", "localhost:65536", "x:\u00b2", "x:" + "9" * 5000, "n" * 300 + ":1", "\udcff:1", "x:"),
        share=0.1,
    ),
)
OPTIONS: dict[str, tuple[Option, ...]] = {
    "scan": (
        Option("", ("genome.fa", "fuzzed.fa", "fuzzed.fa", "packed.fa.gz", "-", "odd\nname.fa"),
               ("empty.fa", "model.onnx", "/dev/null", "--", *_ODD_PATHS), 1.0, 2),
        _MODEL._replace(most=2),
        Option("--output", ("out.bed", "out.bed.gz", "-", "/dev/null", "é.bed"),
               ("genome.fa", "model.onnx", "nix/out.bed", "out\n.bed", "out", *_ODD_PATHS), 0.4),
        _OUT_DIR,
        Option("--regions", ("one:1-20", "one", "two:5-", "targets.bed", "one:1,0-30"),
               ("three", "one:0-5", "one:9-5", "bad.bed", "genome.fa", "/dev/null", "one:1-" + "9" * 40,
                *_ODD_PATHS), 0.2, 3),
        *_SCANNING,
    ),
    "batch": (
        Option("", ("sheet.tsv",),
               ("targets.bed", "genome.fa", "model.onnx", "empty.fa", "/dev/null", *_ODD_PATHS), 1.0),
        _OUT_DIR._replace(share=1.0),
        _MODEL._replace(share=0.7),
        *_SCANNING,
    ),
    "models": (
        Option("", ("show",), ("list", "", "--help"), 0.9),
        Option("", ("repeats", "model.onnx", "repeats.onnx"), (*_MODEL.odd, "fuzzed.fa"), 0.9),
        Option("--autosql", share=0.3),
    ),
    "bench": (
        _MODEL,
        Option("--genome", ("genome.fa", "fuzzed.fa", "packed.fa.gz"), ("empty.fa", "targets.bed", *_ODD_PATHS), 1.0),
        *_RUNNING,
        Option("--seconds", ("0.1",), ("0.01", "nan", "inf", "1e300", "", "0", "-1", "x", "9" * 30), 1.0),
        Option("--json", share=0.5),
    ),
}  # fmt: skip
SHEETS = inputs.sheets(
    ("genome.fa", "genome.fa", "genome.fa", "fuzzed.fa", "packed.fa.gz", "-"), ("model.onnx", "both.onnx", "bins.onnx"),
    ("one:1-20", "one", "two:5-", "targets.bed"),
)  # fmt: skip
VERBS = ("scan",) * 40 + ("batch",) * 10 + ("models",) * 3 + ("bench",)
ODD_WORDS = ("--", "-", "", "--help", "-h", "--version", "--nix", "-qq", "-t2", "-mmodel.onnx", "--model=", "\udcff",
             "é", "--quiet=1", "scan", "--regions=one:1-5", "two\nlines", "w" * 5000, "--thr", "-x")  # fmt: skip


class CommandLine(NamedTuple):
    """Words of a command, and what it finds on standard input, in fuzzed.fa and in sheet.tsv."""

    words: tuple[str, ...]
    stdin: bytes = b""
    genome: bytes = b""
    sheet: bytes = b""


def _chosen(draw: inputs.Draw, option: Option, oddity: float) -> list[tuple[str, str]]:
    """The option as often as it is given this time: (name, value)."""
    if draw(st.floats(0, 1)) >= option.share:
        return []
    if not option.good:
        return [(option.name, "")] if not option.odd else []
    values = [
        draw(st.sampled_from(option.odd if draw(st.floats(0, 1)) < oddity else option.good))
        for _ in range(draw(st.integers(1, option.most)))
    ]
    return [(option.name, value) for value in values]


def _sensible_scan(given: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without what contradicts itself: one track or a folder, and regions for the genome that has them."""
    into_folder = any(name == "--out-dir" for name, _ in given)
    kept, seen = [], set()
    has_regions = any(name == "--regions" for name, _ in given)
    for name, value in given:
        if name == "--output" and into_folder:
            continue
        if name in ("", "--model") and not into_folder and name in seen:
            continue
        if name == "--satellites" and (("--model", "said.onnx") not in given or ("--format", "bedgraph") in given):
            continue
        seen.add(name)
        value = "genome.fa" if name == "" and has_regions else value
        value = "model.onnx" if name == "--model" and ("--format", "bedgraph") in given else value
        if (name, value) not in kept or name not in ("", "--model"):
            kept.append((name, value))
    return kept


@st.composite
def command_lines(draw: inputs.Draw) -> CommandLine:
    """Half of them mean something; the others have values, combinations or words that are odd."""
    verb = draw(st.sampled_from(VERBS))
    oddity = draw(st.sampled_from((0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.3)))
    given = [one for option in OPTIONS[verb] for one in _chosen(draw, option, oddity)]
    if verb == "scan" and not oddity:
        given = _sensible_scan(given)
    groups = []
    for name, value in given:
        plain = [one for one in (name, value) if one] if not name or not value else [name, value]
        groups.append([f"{name}={value}"] if name and value and draw(st.booleans()) else plain or [""])
    if verb != "models":
        groups = draw(st.permutations(groups))
    words = [verb, *(word for group in groups for word in group)]
    for _ in range(draw(st.sampled_from((0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2)))):
        at = draw(st.integers(0, len(words)))
        how = draw(st.sampled_from(["insert", "drop", "repeat"]))
        new = {"drop": [], "repeat": words[at : at + 1]}.get(how, [draw(st.sampled_from(ODD_WORDS))])
        words[at : at + (how == "drop")] = new
    if verb == "bench":  # by default it takes its time, on a genome of its own
        words += ["--seconds", "0.1"] * all("--seconds" not in word for word in words)
        words += ["--genome", "genome.fa"] * all("--genome" not in word for word in words)
    text = inputs.spoilt(inputs.fasta_documents(), (0, 0, 0, 0, 0, 1))
    sheet = draw(inputs.spoilt(SHEETS, (0, 0, 0, 0, 1))) if verb == "batch" else b""
    # A sheet too may name the standard input as a genome.
    return CommandLine(tuple(words), draw(inputs.packed(text)) if "-" in words or sheet else b"", draw(text), sheet)


# ---- the folder where commands run

_GENOMES = {
    "genome.fa": [("one", "ACGTACGGGGCCCCTTNNNNAAAACCGT" * 3), ("two", "ggggcccc" * 5), ("none", "")],
    "packed.fa.gz": [("uno", "ACGT" * 20), ("dos", "GGC" * 9)],
    "odd\nname.fa": [("odd", "ACCGT" * 9)],
}


@cache
def template_files() -> dict[str, bytes]:
    broken = onnx.load_from_string(toys.gc_model(8, 4))
    cardless = onnx.load_from_string(toys.gc_model(8, 4))
    broken.graph.node[0].op_type = "Nix"
    del cardless.metadata_props[:]
    texts = {name: inputs.fasta_text(records, 30) for name, records in _GENOMES.items()}
    return texts | {
        "packed.fa.gz": gzip.compress(texts["packed.fa.gz"], mtime=0),
        "empty.fa": b"",
        "targets.bed": b"one\t3\t40\ntwo\t0\t9\n",
        "bad.bed": b"one\t3\t400\n",
        "model.onnx": toys.gc_model(8, 4),
        "odd\nname.onnx": toys.gc_model(8, 4),
        "both.onnx": toys.motif_model("GGC", 16),
        "bins.onnx": toys.base_model("G", 16, 8, 4),
        "two.onnx": toys.kmer_bert(2, 1, 8, 2, 16),
        "said.onnx": toys.known_model(16, 8, gap=2),
        "units.fa": b">mine\nACGTTGCA\n>GC of mine\nGGCC\n",
        "broken.onnx": broken.SerializeToString(),
        "cardless.onnx": cardless.SerializeToString(),
    }


def _listed(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every file below a folder with its size and time of change, every folder with zeros."""
    found = {}
    for place, folders, names in os.walk(folder):
        found |= {Path(place, name): (0, 0) for name in folders}
        for name in names:
            about = os.lstat(Path(place, name))
            found[Path(place, name)] = about.st_size, about.st_mtime_ns
    return found


def _restore(here: Path, added: set[Path], changed: set[Path]) -> None:
    for path in sorted(added, reverse=True):  # what a folder holds comes before it
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(template_files()[str(path.relative_to(here))])


@contextmanager
def user_folder(
    folder: Path, fuzzed: dict[str, bytes], words: tuple[str, ...] = ()
) -> Iterator[Callable[[bool], set[Path]]]:
    """Work in a folder with genomes and models; gives a function that says which files are new.

    What the words do not name as an output must be as it was, and the temporary folder empty; new files are taken away
    at the end.
    """
    here, temporary = folder / "here", folder / "temporary"
    if not here.is_dir():
        (here / "folder").mkdir(parents=True)
        temporary.mkdir()
        for name, data in template_files().items():
            (here / name).write_bytes(data)
    for name, data in fuzzed.items():
        (here / name).write_bytes(data)
    before, usual = _listed(here), tempfile.tempdir
    added: set[Path] = set()
    changed: set[Path] = set()

    def new_files() -> set[Path]:
        after = _listed(here)
        added.update(after.keys() - before.keys())
        changed.update(path for path in before if after.get(path) != before[path] and before[path] != (0, 0))
        outputs = {here / word.removeprefix("--output=") for word in words}
        replaced = {Path(f"{output}{ending}") for output in outputs for ending in ("", ".json", ".csi")}
        assert changed <= replaced, f"changed: {changed}"
        left = os.listdir(temporary)
        for name in left:
            (temporary / name).rename(folder / name)
        assert not left, f"left among the temporaries: {left}"
        return {path for path in added if path.suffix == ".pieces" or not path.is_dir()}

    try:
        tempfile.tempdir = str(temporary)
        with chdir(here):
            yield new_files
    finally:
        tempfile.tempdir = usual
        added.update(_listed(here).keys() - before.keys())
        _restore(here, added, changed - {here / name for name in fuzzed})


# ---- how a command ends


def check_end(code: int, stderr: str) -> None:
    """Exit codes and messages as docs/scan.md promises them: one error, or one a genome and a last one in a batch."""
    assert code in (0, 1, 2), f"exit code {code}"
    assert "Traceback" not in stderr, stderr
    assert not stderr or stderr.endswith("\n"), f"an unfinished line: {stderr!r}"
    lines = stderr.split("\n")[:-1]
    if code == 2 and stderr.startswith(("Usage: ", "Error: ")):
        assert any(line.startswith("Error: ") for line in lines) or "Commands:" in lines, stderr
        return
    assert all(line.startswith("genoscan: ") for line in lines), f"a line that is not ours: {stderr!r}"
    assert not any(char < " " or "\x7f" <= char < "\xa0" for line in lines for char in line), f"control: {stderr!r}"
    errors = [line for line in lines if line.startswith("genoscan: error: ")]
    several = re.match(r"genoscan: error: ([0-9]+) of [0-9]+ genomes failed: ", errors[-1]) if errors else None
    expected = (code != 0) + (int(several[1]) if several else 0)
    assert len(errors) == expected, f"{len(errors)} errors with exit code {code}: {stderr!r}"
    assert errors[-1:] in ([], lines[-1:]), f"more after the error: {stderr!r}"


_KEPT = re.compile(
    "([0-9,]+) finished pieces? (?:is|are) kept in (.*?): the same command with --resume goes on from there"
)


def check_kept(code: int, stderr: str, new: set[Path]) -> None:
    """Finished pieces stay only where a scan failed, and just those that are told of."""
    told = {folder: int(count.replace(",", "")) for count, folder in _KEPT.findall(stderr)}
    here = Path.cwd()
    folders = {one_line(str(path.relative_to(here))): path for path in new if path.suffix == ".pieces"}
    assert told == {name: len(list(path.glob("*.piece"))) for name, path in folders.items()}, (
        f"kept: {folders}: {stderr!r}"
    )
    assert code or not folders, f"kept although nothing failed: {folders}"


def _lengths(data: bytes) -> dict[str, int]:
    try:
        return {name: len(codes) for name, codes in read_fasta(unpack(data)).items()}
    except Refused:
        return {}


def _check_results(line: CommandLine, code: int, stdout: bytes, new: set[Path]) -> None:
    genomes = [{name: len(letters) for name, letters in contigs} for contigs in _GENOMES.values()]
    genomes += [_lengths(data) for data in (line.genome, line.stdin)]
    check_files(new, genomes)
    into_folder = any("--out-dir" in word for word in line.words)
    if code:
        results = {path for path in new if ".pieces" not in (path.suffix, path.parent.suffix)}
        assert not results or into_folder, f"files of a failed command: {results}"
        return
    told_only = {"-h", "--help", "--version"} & set(line.words)
    assert not into_folder or told_only or any(path.name == "summary.tsv" for path in new), "no summary"
    if stdout.startswith(b"#chrom\t"):
        problems = [track_problem(stdout, genome) for genome in genomes]
        assert "" in problems, problems
    if stdout.startswith(b"{"):
        json.loads(stdout)


def check_command(folder: Path, line: CommandLine) -> bool:
    """A command run in this process: it ends as promised and leaves complete tracks or nothing."""
    with user_folder(folder, {"fuzzed.fa": line.genome, "sheet.tsv": line.sheet}, line.words) as new_files:
        result = invoke(line.words, line.stdin)
        new = new_files()
        check_kept(result.exit_code, result.stderr, new)
        _check_results(line, result.exit_code, result.stdout_bytes, new)
        if result.exit_code == 0 and "--resume" in line.words:
            _check_that_nothing_is_left(line, new)
            new_files()
    return result.exit_code == 0


def invoke(words: tuple[str, ...], stdin: bytes = b"") -> commands.Result:
    """The command, run in this process, after it has ended as promised."""
    result = commands.invoke(*words, stdin=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    check_end(result.exit_code, result.stderr)
    return result


def _check_that_nothing_is_left(line: CommandLine, new: set[Path]) -> None:
    """What a command with --resume has completed, the same command leaves or makes again, to the byte."""
    tracks = {path: path.read_bytes() for path in new if path.suffix not in (".json", ".tsv")}
    again = invoke(line.words, line.stdin)
    assert again.exit_code == 0, f"fails when it is done: {again.stderr}"
    assert tracks == {path: path.read_bytes() for path in tracks}, "tracks differ the second time"


ENVIRONMENTS: tuple[dict[str, str], ...] = (
    {},
    {},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0"},
    {"COLUMNS": "1"},
)


def check_process(folder: Path, line: CommandLine) -> bool:
    """The same as a process of its own, whose standard error has what libraries say beside Python too."""
    with user_folder(folder, {"fuzzed.fa": line.genome, "sheet.tsv": line.sheet}, line.words) as new_files:
        environment = (
            os.environ | {"TMPDIR": str(folder / "temporary")} | ENVIRONMENTS[len(line.genome) % len(ENVIRONMENTS)]
        )
        command = [sys.executable, "-m", "genoscan", *line.words]
        done = subprocess.run(command, input=line.stdin, capture_output=True, env=environment, timeout=200, check=False)
        new = new_files()
        check_end(done.returncode, done.stderr.decode())
        check_kept(done.returncode, done.stderr.decode(), new)
        _check_results(line, done.returncode, done.stdout, new)
    return done.returncode == 0
