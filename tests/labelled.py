"""Small tables of labelled sequences whose answer is known, and recipes that learn them in a second."""

import csv
import gzip
from pathlib import Path

import numpy as np

LETTERS = np.array(list("ACGT"))
RECIPE = """
name = "toy"
seed = 1

[task]
kind = "regression"
targets = ["strength"]

[data]
window = 40

[data.split]
by = "rows"

[net]
kind = "convolutional"
width = 8
layers = 2
kernel = 5
hidden = 8
dropout = 0.1

[fit]
batch = 16
epochs = 3
learning_rate = 0.01
"""
KMER_BERT = """
[net]
kind = "transformers"
tokens = "kmer:3:1"

[net.config]
model_type = "bert"
hidden_size = 16
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 32
max_position_embeddings = 64
"""


def sequences(count, length=40, seed=0):
    """Sequences at random, text."""
    generator = np.random.default_rng(seed)
    return ["".join(LETTERS[generator.integers(0, 4, length)]) for _ in range(count)]


def gc(sequence):
    return sum(letter in "GC" for letter in sequence) / len(sequence)


def write_table(path, columns, rows):
    """A TSV, or by its name a CSV, gzip where the name ends in .gz."""
    path = Path(path)
    delimiter = "," if ".csv" in path.name else "\t"
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else open(path, "w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def regression_table(path, count=160, seed=0):
    """A strength that follows from the GC content: a network learns it at once."""
    return write_table(
        path, ["sequence", "strength"], [[s, f"{10 * gc(s) + 3:.4f}"] for s in sequences(count, 40, seed)]
    )


def class_table(path, count=160, seed=0):
    """Two classes: more G and C than A and T, or not."""
    return write_table(
        path, ["sequence", "kind"], [[s, "rich" if gc(s) > 0.5 else "poor"] for s in sequences(count, 40, seed)]
    )


def write_recipe(path, *replacements, net=None):
    """The toy recipe in a file, with (old, new) replacements; ``net`` instead of its [net]."""
    text = RECIPE
    if net is not None:
        begin, end = text.index("[net]"), text.index("[fit]")
        text = text[:begin] + net.strip() + "\n\n" + text[end:]
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    Path(path).write_text(text)
    return Path(path)
