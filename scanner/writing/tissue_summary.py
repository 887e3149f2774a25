"""OUT.json of a track of tissues: what was run on what, and what became of the reads."""

from __future__ import annotations

import json
from dataclasses import asdict

from ..inference.stitch import SCORE_UNIT
from .summary import genome_of, model_of, package_versions


def tissue_summary_json(genome, model, sample, markers, options, thresholds, counts) -> str:
    """The summary as indented JSON.

    genome, model, sample: opened; markers: INTERVAL array of those that were called, or None; options: as given;
    thresholds: `TissueThresholds`; counts: `TissueCounts`.
    """
    tally = asdict(sample.tally)
    tally.pop("first_unusable")
    counted = asdict(counts)
    seconds = counted.pop("seconds")
    summary = {
        "versions": package_versions(),
        "genome": genome_of(genome),
        "model": model_of(model),
        "sample": {"path": sample.source},
        "device": model.device,
        "batch_size": model.batch_size,
        "options": options,
        "calling": {
            "threshold": thresholds.call / SCORE_UNIT,
            "min_probability": thresholds.listed / SCORE_UNIT,
            "min_reads": thresholds.reads,
        },
        "markers": None if markers is None else len(markers),
        "records": tally,
        "counts": counted,
        "seconds": round(seconds, 3),
    }
    return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
