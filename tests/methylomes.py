"""A small atlas on random sequence, and tables of reads, for tests of what learns from methylation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TYPES = ("Blood-T", "Liver", "Neuron")
FLANK = 40
_SHARES = ((0.02, 0.9, 0.05), (0.95, 0.01, 0.02), (0.0, 0.03, 0.85), (0.5, 0.4, "NA"))


def bases(generator: np.random.Generator, length: int, every: int) -> str:
    """Random bases with a CpG at each ``every`` bases."""
    letters = generator.choice(list("AAGTT"), length)  # no C: all CpGs are those put there
    for place in range(every // 2, length - 1, every):
        letters[place], letters[place + 1] = "C", "G"
    return "".join(letters)


def write_atlas(path: Path, seed: int = 0, width: int = 120) -> Path:
    """Four markers with their bases, for three cell types; the fourth is of none."""
    generator = np.random.default_rng(seed)
    lines = ["\t".join(("chr", "start", "end", "target", "direction", "flank", "sequence", *TYPES))]
    for number, shares in enumerate(_SHARES):
        start = 1000 * (number + 1)
        letters = bases(generator, width + 2 * FLANK, 15)
        target = TYPES[(1, 0, 2)[number]] if number < 3 else ""
        fields = ["chr7", start, start + width, target, "U", FLANK, letters, *shares]
        lines.append("\t".join(map(str, fields)))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_genome(path: Path, atlas_path: Path) -> Path:
    """A FASTA that has the atlas' bases where the atlas says."""
    contig = np.array(list("T" * 6000))
    for line in atlas_path.read_text().splitlines()[1:]:
        fields = line.split("\t")
        start = int(fields[1]) - FLANK
        contig[start : start + len(fields[6])] = list(fields[6])
    path.write_text(">chr7\n" + "".join(contig) + "\n")
    return path


def kmers(letters: str, k: int = 3) -> str:
    """Overlapping k-mers with spaces between."""
    return " ".join(letters[i : i + k] for i in range(len(letters) - k + 1))


def write_reads(path: Path, count: int = 60, seed: int = 1) -> Path:
    """Reads of two classes in three regions, in MethylBERT's form: T is methylated, N is not."""
    generator = np.random.default_rng(seed)
    lines = ["name\tdna_seq\tmethyl_seq\tctype\tdmr_label"]
    for number in range(count):
        letters, kin = bases(generator, 60, 12), "TN"[number % 2]
        state = "1" if kin == "T" else "0"
        states = [
            state if letters[i + 1 : i + 3] == "CG" and generator.random() > 0.05 else "2"
            for i in range(len(letters) - 2)
        ]
        lines.append(f"read{number}\t{kmers(letters)}\t{''.join(states)}\t{kin}\t{number % 3}")
    path.write_text("\n".join(lines) + "\n")
    return path


def tiny_recipe(folder: Path, more: str = "", data: str = "", **sections: str) -> Path:
    """A recipe whose network learns in a second."""
    text = f"""
name = "tiny"
task = "tissue"
seed = 3
[data]
window = 60
per_epoch = 256
validation = 64
{data}
[net]
width = 16
layers = 1
heads = 2
feedforward = 32
patch = 10
kernel = 20
embedding = 8
hidden = 16
{sections.get("net", "mixtures = 3")}
[fit]
batch = 32
epochs = 2
learning_rate = 3e-3
{sections.get("fit", "")}
[card]
assembly = "toy1"
{more}
"""
    path = folder / "tiny.toml"
    path.write_text(text)
    return path
