"""A recipe's tables become memory-mapped sequences with splits, once; a run that goes on finds them there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...scanner.encoding.nucleotides import reverse_complement
from ...scanner.errors import UsageError
from ...scanner.reading.fasta import CODES, NO_CODE
from ...scanner.reading.genome import Genome, open_genome
from ...scanner.reading.regions import Contigs
from ..data.digests import file_digest
from ..data.partition import (
    Places,
    related_groups,
    share_related,
    split_by_block,
    split_by_group,
    without_copies,
)
from ..data.store import (
    LEFT_OUT,
    SPLITS,
    Row,
    Sequences,
    open_sequences,
    read_description,
    write_rows,
    write_splits,
)
from ..data.table import read_table
from .recipe import SequenceRecipe

_SPLIT_NAMES = {"train": 0, "training": 0, "validation": 1, "valid": 1, "val": 1, "dev": 1, "test": 2, "": LEFT_OUT}
_SUFFIXES = (".tsv", ".csv", ".txt", ".tab", ".parquet", ".pq")
_UNKNOWN = 4


class Source(NamedTuple):
    """A table, and the split that all its rows are in; None where the recipe splits them."""

    path: Path
    split: int | None


def find_tables(data: str) -> list[Source]:
    """The tables of ``inputs.data``: one to be split, or those of a folder, by their names.

    `UsageError` where there is none, or a folder without training or validation.
    """
    path = Path(data)
    if not data or not path.exists():
        raise UsageError(
            f"{data or 'inputs.data'}: no such table: say --data TABLE_OR_FOLDER, or inputs.data in the recipe"
        )
    if path.is_file():
        return [Source(path, None)]
    found = [
        Source(file, _SPLIT_NAMES[file.name.split(".")[0]])
        for file in sorted(path.iterdir())
        if file.name.split(".")[0] in _SPLIT_NAMES and set(file.suffixes) & set(_SUFFIXES)
    ]
    for number, name in enumerate(SPLITS[:2]):
        if sum(one.split == number for one in found) != 1:
            raise UsageError(f"{path}: needs one {name}.tsv (or .csv, .parquet, .gz of these) in it")
    return sorted(found, key=lambda one: one.split)


def input_digests(recipe: SequenceRecipe) -> list[tuple[str, str]]:
    """Path and BLAKE2b of each file that the run learns from."""
    files = [one.path for one in find_tables(recipe.inputs.data)]
    if not recipe.data.sequence:
        if not recipe.inputs.genome:
            raise UsageError("data.sequence is empty, so bases come from a genome: say --genome FASTA")
        files.append(Path(recipe.inputs.genome))
    return [(str(path), file_digest(path)) for path in files]


def prepare(
    recipe: SequenceRecipe, folder: Path, digests: Sequence[tuple[str, str]], log: Callable[[str], None]
) -> Sequences:
    """The recipe's sequences in ``folder``, written there if they are not: a pure function of recipe and inputs.

    `UsageError` names file and line of what is wrong, and splits that share sequences.
    """
    settings = recipe.data.model_dump(mode="json", exclude={"reverse_complement", "shift"})
    made_of = {
        "inputs": [digest for _, digest in digests],
        "settings": settings,
        "task": recipe.task.model_dump(mode="json", exclude={"loss", "balance", "standardize", "weights"}),
        "seed": recipe.seed,
        "margin": _margin(recipe),
    }
    made_of = json.loads(json.dumps(made_of))
    outputs = len(recipe.task.targets)
    described = read_description(folder)
    if described is not None and described.get("made_of") == made_of:
        return open_sequences(folder, outputs)
    tables = find_tables(recipe.inputs.data)
    notes = _Notes(recipe)
    rows = write_rows(folder, notes.rows(tables))
    if not rows:
        raise UsageError(
            f"{recipe.inputs.data}: has no row with a sequence and a value of {', '.join(recipe.task.targets)}"
        )
    sequences = open_sequences(folder, outputs)
    splits = without_copies(
        sequences, _splits(recipe, sequences, notes), recipe.data.split.duplicates, recipe.inputs.data, log
    )
    sizes = {name: int((splits == number).sum()) for number, name in enumerate(SPLITS)}
    for name in SPLITS[:2]:
        if not sizes[name]:
            raise UsageError(f"{recipe.inputs.data}: the {name} split is empty: change data.split")
    related = share_related(sequences, splits)
    described = {"made_of": made_of, "sizes": sizes, "unlabelled": notes.unlabelled, "related_to_training": related}
    described["left_out"] = int((splits == LEFT_OUT).sum())
    write_splits(folder, splits, described)
    sizes_text = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    related_text = ", ".join(f"{name} {share:.1%}" for name, share in related.items())
    log(f"sequences: {sizes_text}; with relatives in training: {related_text}")
    return open_sequences(folder, outputs)


def _margin(recipe: SequenceRecipe) -> int:
    """Bases kept on either side of a window, which training may shift into."""
    return recipe.data.shift if recipe.data.window is not None else 0


class _Notes:
    """Reads rows of tables, and notes what the splits need of them."""

    def __init__(self, recipe: SequenceRecipe):
        self.recipe, self.unlabelled = recipe, 0
        self.places: list[tuple[int, int, int]] = []
        self.given: list[int] = []
        data, split = recipe.data, recipe.data.split
        self.whole = list(recipe.task.targets)
        self.place = [] if data.sequence else [data.contig, data.start, data.end]
        if data.sequence and split.by == "block":
            self.place = [*([data.contig] if data.contig else []), data.start, data.end]
        self.extra = list(split.columns) if split.by in ("group", "homology", "column") else []
        self.contigs: dict[str, int] = {}

    def rows(self, tables: Sequence[Source]) -> Iterator[Row]:
        """Rows that have a sequence and at least one value."""
        data = self.recipe.data
        columns = [*self.whole, *self.place, *self.extra]
        columns += [data.sequence] if data.sequence else []
        columns += [data.strand] if data.strand and not data.sequence else []
        wanted = list(dict.fromkeys(columns))
        with ExitStack() as stack:
            genome = None
            if not data.sequence:
                genome = _Reader(stack.enter_context(open_genome(self.recipe.inputs.genome)), self.recipe.inputs.genome)
            for table in tables:
                for line, fields in read_table(table.path, wanted):
                    row = self._row(table, line, dict(zip(wanted, fields, strict=True)), genome)
                    if row is not None:
                        yield row

    def _row(self, table: Source, line: int, field: dict[str, str], genome: _Reader | None) -> Row | None:
        where = f"{table.path} line {line}"
        targets = _targets(self.recipe, field, where)
        if np.isnan(targets).all():
            self.unlabelled += 1
            return None
        if self.place:
            contig, start, end = _place(self.recipe, field, where)
            self.places.append((self.contigs.setdefault(contig, len(self.contigs)), start, end))
        if genome is None:
            codes = _codes(field[self.recipe.data.sequence], where)
            if self.recipe.data.window is not None:
                codes = centred(codes, self.recipe.data.window + 2 * _margin(self.recipe))
        else:
            strand = field.get(self.recipe.data.strand, "+")
            codes = self._from_genome(genome, contig, start, end, strand, where)
        split = self.recipe.data.split
        if table.split is not None:
            self.given.append(table.split)
        elif split.by == "column":
            name = field[split.columns[0]].strip().lower()
            if name not in _SPLIT_NAMES:
                raise UsageError(f"{where}: '{name}' is no split: say train, validation, test, or nothing")
            self.given.append(_SPLIT_NAMES[name])
        return Row(codes, targets, _number(self._key(table, line, field)), line)

    def _key(self, table: Source, line: int, field: dict[str, str]) -> str:
        """What the rows of a group have in common, and no other row has."""
        split = self.recipe.data.split
        if split.by == "block" and self.places:
            contig, start, end = self.places[-1]
            return f"block\t{contig}\t{(start + end) // 2 // split.block}"
        if split.by in ("group", "homology") and self.extra:
            return "\t".join(field[column] for column in self.extra)
        return f"line\t{table.split}\t{line}"

    def _from_genome(self, genome: _Reader, contig: str, start: int, end: int, strand: str, where: str) -> np.ndarray:
        if self.recipe.data.window is not None:
            size = self.recipe.data.window + 2 * _margin(self.recipe)
            start = (start + end - size) // 2
            end = start + size
        codes = genome.codes(contig, start, end, where)
        return reverse_complement(codes) if strand == "-" else codes


class _Reader:
    """Bases of a genome by the names of its contigs, N beyond their ends."""

    def __init__(self, genome: Genome, source: str):
        self.genome = genome
        self.names = Contigs.of(genome.names, genome.lengths, source)

    def codes(self, contig: str, start: int, end: int, where: str) -> np.ndarray:
        (number,) = self.names.table.find([contig]).tolist()
        if number < 0:
            raise UsageError(f"{where}: {self.names.unknown(contig)}")
        length = int(self.genome.lengths[number])
        low, high = max(0, start), min(length, end)
        if low >= high:
            raise UsageError(f"{where}: {contig}:{start:,}-{end:,} lies beyond the contig, which has {length:,} bases")
        codes = np.full(end - start, _UNKNOWN, dtype=np.uint8)
        codes[low - start : high - start] = self.genome.codes(number, low, high)
        return codes


def centred(codes: np.ndarray, size: int) -> np.ndarray:
    """``size`` codes about the middle of a sequence, filled up with N on both sides where it is shorter."""
    lack = size - len(codes)
    if lack <= 0:
        begin = (-lack) // 2
        return codes[begin : begin + size]
    return np.pad(codes, (lack // 2, lack - lack // 2), constant_values=_UNKNOWN)


def _targets(recipe: SequenceRecipe, field: dict[str, str], where: str) -> np.ndarray:
    """float32 (targets,), transformed; NaN for blanks."""
    task = recipe.task
    if task.kind == "classification":
        text = field[task.targets[0]].strip()
        if text and text not in task.classes:
            raise UsageError(f"{where}: '{text}' is none of task.classes ({', '.join(task.classes)})")
        return np.array([task.classes.index(text) if text else np.nan], dtype=np.float32)
    try:
        values = np.array([float(field[name].strip() or "nan") for name in task.targets])
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    if np.isinf(values).any():
        raise UsageError(f"{where}: has an infinite value")
    if task.lowest is not None:
        values = np.maximum(values, task.lowest)  # of NaN and a number NaN
    if task.transform == "none":
        return values.astype(np.float32)
    shifted = values + (1.0 if task.transform == "log1p" else task.pseudocount)
    if (shifted <= 0).any():
        raise UsageError(f"{where}: has a value with no logarithm: give task.pseudocount, or transform = 'none'")
    return {"log1p": np.log, "log": np.log, "log2": np.log2, "log10": np.log10}[task.transform](shifted).astype(
        np.float32
    )


def _place(recipe: SequenceRecipe, field: dict[str, str], where: str) -> tuple[str, int, int]:
    """Contig ('' where the table has one contig only), start and end."""
    data = recipe.data
    try:
        start, end = int(field[data.start]), int(field[data.end])
    except ValueError:
        raise UsageError(f"{where}: {data.start} and {data.end} must be whole numbers") from None
    if not 0 <= start < end:
        raise UsageError(f"{where}: {data.start} must not be negative and less than {data.end}")
    return field.get(data.contig, ""), start, end


def _codes(text: str, where: str) -> np.ndarray:
    codes = np.frombuffer(text.strip().encode("ascii", "replace").translate(CODES), dtype=np.uint8)
    if not len(codes):
        raise UsageError(f"{where}: has no sequence")
    if codes.max() == NO_CODE:
        raise UsageError(f"{where}: has letters that are no nucleotides")
    return codes


def _number(key: str) -> int:
    """int64 of a group's name."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little", signed=True)


def _splits(recipe: SequenceRecipe, sequences: Sequences, notes: _Notes) -> np.ndarray:
    split, generator = recipe.data.split, np.random.default_rng((recipe.seed, 3))
    if notes.given:
        return np.array(notes.given, dtype=np.uint8)
    if split.by == "block":
        contig, start, end = np.array(notes.places, dtype=np.int64).T
        return split_by_block(generator, Places(contig, start, end), split.shares, split.block, split.margin)
    groups: Any = np.arange(len(sequences)) if split.by == "rows" else np.asarray(sequences.keys)
    if split.by == "homology":
        groups = related_groups(sequences, split.similarity, groups if split.columns else None)
    return split_by_group(generator, groups, split.shares)
