"""OUT.json of a track of tissues: what was run on what, and what became of the reads."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

from .summary import genome_of, model_of, package_versions


def tissue_summary_json(output, genome, model, sample, markers, options, thresholds, counts) -> str:
    """The summary as indented JSON, with the fields that other tracks' have.

    output: the track's path; genome, model, sample: opened; markers: INTERVAL array of those that were called, or None;
    options: as given; thresholds: `TissueThresholds`; counts: `TissueCounts`.
    """
    tally = asdict(sample.tally)
    tally.pop("first_unusable")
    counted = asdict(counts)
    seconds = counted.pop("seconds")
    summary = {
        "versions": package_versions(),
        "genome": genome_of(genome),
        "model": model_of(model),
        "files": [os.path.basename(output)],
        "sample": {"path": sample.source},
        "device": model.device,
        "batch_size": model.batch_size,
        "workers": f"{options['threads']} thread{'s' if options['threads'] > 1 else ''}",
        "options": options,
        "calling": {
            "threshold": thresholds.share,
            "min_share": thresholds.listed,
            "min_evidence": thresholds.evidence,
            "min_reads": thresholds.reads,
        },
        "markers": None if markers is None else len(markers),
        "records": tally,
        "counts": {**counted, "skipped_windows": 0, "resumed_bases": 0},
        "seconds": round(seconds, 3),
        "mb_per_second": round(counts.bases / 1e6 / seconds, 3) if seconds else 0.0,
    }
    return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
