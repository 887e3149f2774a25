"""Sequences as text for the tests of repeats: codes from letters, simulated copies, and annotations as plain tuples."""

import numpy as np

from genoscan.scanner.calling.repeats import annotate
from genoscan.scanner.calling.satellites import load_satellites
from genoscan.scanner.reading.fasta import CODES


def codes_of(text):
    return np.frombuffer(text.encode().translate(CODES), dtype=np.uint8).copy()


def random_text(generator, length):
    return "".join(generator.choice(list("ACGT"), length))


def mutated(generator, text, rate):
    """The text with a share of its letters replaced by others."""
    others = {"A": "CGT", "C": "AGT", "G": "ACT", "T": "ACG"}
    hit = generator.random(len(text)) < rate
    pairs = zip(text, hit, strict=True)
    return "".join(generator.choice(list(others[one])) if change else one for one, change in pairs)


def reverse_complement(text):
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


def annotate_text(text, starts=(0,), ends=None, satellites=None):
    codes = codes_of(text)
    ends = (len(text),) if ends is None else ends
    return annotate(
        lambda start, end: codes[start:end],
        np.array(starts, dtype=np.int64),
        np.array(ends, dtype=np.int64),
        satellites or load_satellites(),
    )


def units(annotation):
    """The units' letters, one text a segment."""
    return [annotation.letters[one["unit_start"] : one["unit_end"]].tobytes().decode() for one in annotation.segments]


def smallest_rotation(text):
    return min(text[i:] + text[:i] for i in range(len(text)))
