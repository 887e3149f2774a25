"""OUT.json: what was run on what, with which versions, and how it went."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

_LONGEST_CONTIGS = 100
_REPORTED = ("numpy", "numba", "onnxruntime-gpu", "onnxruntime", "pyfaidx", "pysam", "tokenizers")


def package_versions() -> dict[str, str]:
    """Versions of Python, genoscan and the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in ("genoscan", *_REPORTED):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def genome_of(genome) -> dict[str, Any]:
    """An open genome, as summaries have it."""
    return {
        "path": genome.source,
        "digest": genome.digest(),
        "contigs": len(genome.names),
        "bases": int(genome.lengths.sum()),
        "longest_contigs": _longest_contigs(genome.names, genome.lengths),
        **genome.stamp(),
    }


def model_of(model) -> dict[str, Any]:
    """A Model or ModelFile, as summaries have it."""
    return {
        "name": model.card.name,
        "version": model.card.version,
        "path": model.path,
        "sha256": model.sha256,
        "card": model.card.model_dump(mode="json", exclude={"input": {"tokenizer"}, "markers": True}),
    }


def summary_json(opened, model, workers, counts, files) -> str:
    """The summary of one track as indented JSON; scores in the model's units, lengths in bases.

    opened: the OpenJob; model: a Model or ModelFile; workers: who scanned; counts: the track's Counts; files: paths of
    the track's files.
    """
    from ..inference.stitch import SCORE_UNIT
    from ..options import thresholds_of
    from ..resume import identity_of

    genome, options = opened.genome, opened.options
    thresholds = thresholds_of(model.card, options)
    summary: dict[str, Any] = {
        "versions": package_versions(),
        "genome": genome_of(genome),
        "model": model_of(model),
        "files": [os.path.basename(path) for path in files],
        "device": model.device,
        "batch_size": model.batch_size,
        "workers": workers.description,
        "options": {**asdict(options), "regions": list(opened.job.regions)},
        "calling": {
            "threshold": thresholds.call / SCORE_UNIT,
            "extend": thresholds.extend / SCORE_UNIT,
            "gap": thresholds.gap,
            "min_length": thresholds.min_length,
            **({} if thresholds.prominence is None else {"prominence": thresholds.prominence / SCORE_UNIT}),
        },
        "counts": {
            "bases": counts.bases,
            "windows": counts.windows,
            "skipped_windows": counts.skipped_windows,
            "calls": counts.calls,
            "called_bases": counts.called_bases,
            "resumed_bases": counts.resumed,
        },
        "seconds": round(counts.seconds, 3),
        "mb_per_second": round(counts.mb_per_second, 3),
        "identity": identity_of(genome.digest(), [model], options, opened.job.regions),
    }
    return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"


def _longest_contigs(names: Sequence[str], lengths: np.ndarray) -> dict[str, int]:
    """The longest contigs in the genome's order, and their lengths in bases."""
    longest = np.sort(np.argsort(-lengths, kind="stable")[:_LONGEST_CONTIGS])
    return {names[number]: int(lengths[number]) for number in longest.tolist()}
