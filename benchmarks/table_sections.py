"""One function a table of benchmarks/README.md: from a script's JSON to Markdown with a heading."""

from __future__ import annotations

from collections.abc import Callable

from promoter_tables import gue, other_track, plant, promoter_scans, shuffled, starts, track, ways
from repeat_tables import accuracy, false_calls, real, short_contigs, speed, speed_without_avx512, units, windows
from table_parts import FIRST, percent, table, three

from genoscan.results.throughput_table import duration, number


def throughput(result: dict) -> str:
    rows = []
    for one in result["settings"]:
        cells = [one["model"], one.get("precision"), one["device"], one["workers"], one["threads"], one["batch_size"]]
        if "error" in one:
            rows.append([*cells, "failed"])
            continue
        mb = one["mb_per_second"]
        rows.append([
            *cells, number(one["windows_per_second"]["scan"]), mb and number(mb["scan"]),
            percent(one["share_of_session"], 0), percent(one["share_of_matrix_rate"], 0),
            f"{one['memory_mb']:,.0f}", mb and duration(one["human_genome_seconds"]),
        ])  # fmt: skip
    head = ["model", "precision", "device", "workers", "threads", "batch", "windows/s", "Mb/s", "of session",
            "of matrix rate", "memory, MB", "human genome"]  # fmt: skip
    where = result["genome"] or "simulated sequence"
    return (
        "### Throughput of the bundled models\n\n"
        f"`genoscan bench --sweep` on {where}, {result['bases'] / 1e6:g} Mb. Of `tissue`, windows are reads in memory. "
        "What the columns mean: [docs/bench.md](../docs/bench.md).\n\n"
        + table(head, rows)
        + "\n\n![Speed by batch size and threads, and stages](results/throughput.png)"
    )


def exports(result: dict, title: str = "Exports: speed") -> str:
    rows = []
    for name, one in result["models"].items():
        for way, value in one["windows_per_second"].items():
            rows.append([f"{name}, {one['parameters'] / 1e6:.1f} M", _WAYS.get(way, way), one["best_way"][way] or None,
                         f"{value:.1f}" if value >= 10 else f"{value:.2f}"])  # fmt: skip
    shared = result.get("overlap")
    if shared is not None:
        rows += [
            [f"windows of {shared['window']:,} in steps of {shared['step']}", way, None, f"{value:.2f} Mb/s"]
            for way, value in shared["mb_per_second"].items()
        ]
    return (
        f"### {title}\n\n"
        "Windows a second beside the loop that people write around a checkpoint and the best that PyTorch does"
        + ("" if shared is None else "; and a convolutional network whose overlapping windows share their work")
        + ".\n\n"
        + table(["model", "way", "best setting", "windows/s"], rows)
    )


def exports_without_avx512(result: dict) -> str:
    return exports(result, "Exports: speed without AVX-512 and its products of bytes")


_WAYS = {"loop": "loop around the checkpoint", "torch": "PyTorch, best of several ways",
         "session fp32": "bare session, fp32", "scan fp32": "genoscan scan, fp32",
         "session int8": "bare session, int8", "scan int8": "genoscan scan, int8"}  # fmt: skip


def families(result: dict) -> str:
    rows = [
        [name, f"{one['parameters'] / 1e6:.0f} M", one["window"], *map(number, one["windows_per_second"].values()),
         f"{one['parity']['real_largest']:.1e}", f"{one['export_seconds']:.0f} s",
         f"{one['export_peak_bytes'] / 1e9:.1f} GB", one["date"]]
        for name, one in result["families"].items()
    ]  # fmt: skip
    head = ["family", "parameters", "bases", "PyTorch, windows/s", "ONNX, windows/s", "largest difference", "export",
            "its memory", "measured"]  # fmt: skip
    return (
        "### Exports: families at their published size\n\n"
        "One thread, random weights, fp32. Speeds of a family were measured in one run, those of different days on "
        "different machines.\n\n" + table(head, rows)
    )


def mixtures(result: dict) -> str:
    depths = {f"{one['coverage']:g}x": one for one in result["detection"]}
    first, *deeper = depths
    errors = [
        [method, *(f"{one[measure]:.4f}" for measure in ("mae", "mae_present", "mae_absent")), three(one["r2"]),
         *(f"{depths[depth]['errors'][method]['mae']:.4f}" for depth in deeper)]
        for method, one in result["errors"].items()
    ]  # fmt: skip
    head = ["method", "mean error", "of tissues present", "of absent", "R2",
            *(f"mean error at {depth}" for depth in deeper)]  # fmt: skip
    rates = {method: [one["rates"][method] for one in depths.values()] for method in depths[first]["rates"]}
    found = [
        [method.replace("bound", "best possible"),
         *(f"{percent(one['found'], 0)} ({percent(one['false_rate'], 0)})" for one in of_depths),
         *(percent(one["limit"]) or "none" if "limit" in one else None for one in of_depths)]
        for method, of_depths in rates.items()
    ]  # fmt: skip
    found_head = ["method", *(f"1 % at {depth}" for depth in depths), *(f"least at {depth}" for depth in depths)]
    counts = ", ".join(f"{one['mixtures']} at {depth}" for depth, one in depths.items())
    off = [
        [one["sample"], *(percent(one[kind], 2) for kind in ("unmethylated", "atlas", "mixed", "throughout"))]
        for one in result["off_target"]
    ]
    off_head = ["sample", "unmethylated", "as the atlas has it", "mixed", "methylated throughout"]
    keys = ("pregnant_median", "smallest_pregnant", "other_median", "largest_other")
    cases = [[method, *(f"{one[key]:.4f}" for key in keys)] for method, one in result["pregnancies"].items()]
    return (
        "### Tissues: proportions\n\n"
        f"Simulated cell-free DNA of people of no training ({counts}), at {first} where no depth is said. The read "
        f"network is `{result['model']['name']}` {result['model']['version']}.\n\n"
        + table(head, errors)
        + "\n\nLiver: how often 1 % of it is found, with the rate of false calls in brackets, and the least share that "
        "is found in 95 % of mixtures.\n\n"
        + table(found_head, found)
        + '\n\nShare of placenta in 15 real samples of cell-free DNA, 7 of them of pregnancies; "authors": what the '
        "authors of CelFiE (https://doi.org/10.1038/s41467-021-22901-x) got.\n\n"
        + table(["method", "median, pregnant", "smallest, pregnant", "median, other", "largest, other"], cases)
        + "\n\nReads of four CpGs or more at markers of tissues that a sample does not have: of real bulk tissues, and "
        "simulated.\n\n" + table(off_head, off)
    )


def reads(result: dict) -> str:
    simulated = result["simulated"]["sets"]["new donors"]
    sets = {"natural": "all cell types alike", "targets": "half from their marker's target"}
    told = [
        [said, answer.replace("_", " "), three(one["log_loss"]), percent(one.get("excess"), 2),
         f"{one['divergence']:.4f}" if "divergence" in one else None, three(one["calibration"])]
        for name, said in sets.items()
        for answer, one in simulated[name].items()
    ]  # fmt: skip
    answers = result["real"]["answers"]
    rows = [[name, f"{one['auroc']:.3f} ({one['low']:.3f}-{one['high']:.3f})", three(one["worst_region"])]
            for name, one in answers.items()]  # fmt: skip
    return (
        "### Tissues: single reads\n\n"
        f"{result['simulated']['reads']:,} simulated reads of people of no training: the bundled model beside the "
        "exact posterior; excess log-loss, and divergence in nats a read.\n\n"
        + table(["reads", "answer", "log-loss", "excess", "divergence", "calibration error"], told)
        + f"\n\nAUROC of {result['real']['reads']:,} real reads of two samples (MethylBERT's table) in "
        "regions that were held out, with intervals of 95 %.\n\n" + table(["classifier", "AUROC", "worst region"], rows)
    )


def chaos(result: dict) -> str:
    summary = result["summary"]
    kinds = ", ".join(f"{name} {times}" for name, times in summary["by_disaster"].items())
    rows = [
        ["rounds of kills, signals, full disks and lost files, each resumed", summary["rounds"]],
        ["disasters", summary["disasters"]],
        ["rounds whose track was not the same bytes in the end", summary["failed"]],
        ["finished bases that were done again", summary["finished_bases_redone"]],
        ["slowest end after a signal", f"{summary['slowest_end_after_a_signal']} s"],
    ]
    return f"### Robustness: interrupted scans\n\n{kinds}.\n\n" + table(["measured", "figure"], rows)


def fuzz(result: dict) -> str:
    rows = [[name, f"{one['inputs']:,}", percent(one["accepted_share"], 0), len(one["failures"]) if isinstance(
             one["failures"], list) else one["failures"]] for name, one in result["targets"].items()]  # fmt: skip
    return "### Robustness: fuzzed inputs\n\n" + table(["input", "tried", "accepted", "failures left"], rows)


def memory(result: dict) -> str:
    rows = [[f"{one['bases'] / 1e6:,.0f} Mb", f"{one['contigs']:,} {one['contigs_are']}", one["workers"],
             f"{one['peak_mb']:,.0f}"] for one in result["cases"]]  # fmt: skip
    about = f"Peak of a whole scan with `repeats` {result.get('model', FIRST)}, of all its processes together."
    return f"### Memory\n\n{about}\n\n" + table(["genome", "contigs", "workers", "peak, MB"], rows)


def scaling(result: dict) -> str:
    rows = [
        [one["workers"], percent(one["efficiency_against_sleep"]), percent(one["efficiency_against_one_worker"])]
        for one in result["efficiency"]
    ]
    return (
        "### Scaling: many workers\n\nA model that only sleeps stands for a GPU's: what the scanner itself costs.\n\n"
        + table(["workers", "of what they could do", "of one worker times their number"], rows)
    )


def gpu(result: dict) -> str:
    rows = [
        [one["model"], one["device"], one["workers"], one["threads"], one["batch_size"],
         number(one["windows_per_second"]["scan"]), number(one["mb_per_second"]["scan"]),
         percent(one["share_of_session"], 0), percent(one["share_of_matrix_rate"], 0),
         duration(one["human_genome_seconds"])]
        for one in result["sweep"]["settings"] if "error" not in one
    ]  # fmt: skip
    head = ["model", "device", "workers", "threads", "batch", "windows/s", "Mb/s", "of session", "of matrix rate",
            "human genome"]  # fmt: skip
    return "### GPU\n\n" + table(head, rows)


SECTIONS: dict[str, Callable[[dict], str]] = {
    "repeats_accuracy": accuracy,
    "repeats_false_calls": false_calls,
    "repeats_real": real,
    "repeats_units": units,
    "repeats_windows": windows,
    "repeats_speed": speed,
    "repeats_speed_avx2": speed_without_avx512,
    "throughput": throughput,
    "gpu": gpu,
    "export_speed": exports,
    "export_speed_avx2": exports_without_avx512,
    "export_families": families,
    "promoters_track": track,
    "promoters_track_others": other_track,
    "promoters_speed": promoter_scans,
    "promoters_shuffled": shuffled,
    "promoters_ways": ways,
    "promoters_plant": plant,
    "promoters_shuffled_plant": shuffled,
    "promoters_starts": starts,
    "gue_core_promoters": gue,
    "tissue_mixtures": mixtures,
    "tissue_reads": reads,
    "chaos": chaos,
    "fuzz": fuzz,
    "memory": memory,
    "scaling": scaling,
    "short_contigs": short_contigs,
}
"""Names of results and what becomes of them, in the order of the README."""
