"""One function a table of repeats in benchmarks/README.md: from a script's JSON to Markdown with a heading."""

from __future__ import annotations

from table_parts import FIRST, bold, percent, table, three, whole


def accuracy(result: dict) -> str:
    sets = result["sets"]
    tools = dict.fromkeys(tool for one in sets.values() for tool in one["tools"])
    first = sets["Markov"]["tools"]
    rows = [
        [
            bold(tool),
            *(three(first.get(tool, {}).get(measure)) for measure in ("precision", "recall", "f1")),
            *(three(one["tools"].get(tool, {}).get("mcc")) for one in sets.values()),
        ]
        for tool in tools
    ]
    head = ["tool", "precision", "recall", "F1", *(f"MCC, {name}" for name in sets)]
    about = "; ".join(f"**{name}**: {one['about']}" for name, one in sets.items())
    return (
        "### Repeats: accuracy on simulated genomes\n\n"
        "Bases in tandem repeats; precision, recall, F1 on the first set. "
        f"Sets: {about}.\n\n" + table(head, rows)
    )


def false_calls(result: dict) -> str:
    controls = result["controls"]
    tools = dict.fromkeys(tool for one in controls.values() for tool in one)
    rows = [
        [bold(tool), *(whole(one.get(tool, {}).get("bases_per_mb")) for one in controls.values())] for tool in tools
    ]
    return (
        "### Repeats: calls where there are none\n\n"
        "Bases called in a megabase of sequence that has tandem repeats by chance only "
        f"({result['sequence']}, {result['bases'] / 1e6:g} Mb).\n\n" + table(["tool", *controls], rows)
    )


def real(result: dict) -> str:
    human, genomes = result["human"]["tools"], result["satellites"]["genomes"]
    catalogues = [one for one in next(iter(human.values())) if one != "called_bases_per_mb"]
    rows = [
        [
            bold(tool),
            *(percent(one.get(name, {}).get("covered")) for name in catalogues),
            f"{one['called_bases_per_mb']:,}",
        ]
        for tool, one in human.items()
    ]
    tools = dict.fromkeys(tool for one in genomes.values() for tool in one["tools"])
    satellites = [
        [bold(tool), *(percent(one["tools"].get(tool, {}).get("share_called")) for one in genomes.values())]
        for tool in tools
    ]
    return (
        "### Repeats: human sequence\n\n"
        "Share of the catalogues' bases that are called, in pieces of hg38 chr1; and what "
        "is called in all. A catalogue is not the truth: UCSC's simpleRepeat was made with TRF.\n\n"
        + table(["tool", *catalogues, "called, bases a Mb"], rows)
        + "\n\nShare of two satellite regions that is called:\n\n"
        + table(["tool", *genomes], satellites)
    )


def units(result: dict) -> str:
    peer = next(name for name in result["seconds"] if name != "genoscan")
    rows = []
    for kind, sizes in result["kinds"].items():
        one = sizes["all"]
        rows.append([
            kind, f"{one['arrays']:,}",
            *(percent(one[tool][measure]) for measure in ("period", "consensus") for tool in ("genoscan", peer)),
            percent(one["oracle_consensus"]),
        ])  # fmt: skip
    head = [
        "arrays",
        "number",
        "period",
        f"period, {peer}",
        "consensus",
        f"consensus, {peer}",
        "best possible consensus",
    ]
    return (
        "### Repeats: periods and units\n\nShare of simulated arrays whose period and consensus are right.\n\n"
        + table(head, rows)
    )


def speed(result: dict, title: str = "Repeats: speed") -> str:
    human, centromere = result["genomes"]["human"], result["genomes"]["centromere"]
    rows = [
        [bold(tool), _speed(human[tool]), _speed(centromere[tool]), _peak(human[tool], centromere[tool])]
        for tool in human
        if tool in centromere and ", first" not in tool
    ]
    return (
        f'### {title}\n\nMb/s of the whole command less its start-up, best of the rounds; "<": stopped before it '
        f"was done. The genomes: human chr20, {human['genoscan repeats']['bases'] / 1e6:g} Mb, and the T2T centromere "
        f"of chr8, {centromere['genoscan repeats']['bases'] / 1e6:.1f} Mb, in copies where that is more than there is; "
        "the slowest tools read their first megabase. Blank: speed from too little sequence, memory of a tool that was "
        "stopped.\n\n" + table(["tool", "human, Mb/s", "centromere, Mb/s", "peak memory, MB"], rows)
    )


def speed_without_avx512(result: dict) -> str:
    return speed(result, "Repeats: speed without AVX-512")


def _speed(row: dict) -> str:
    """Blank for a tool that was given too little sequence to tell."""
    value = row.get("mb_per_second")
    if row["bases"] < 500_000:
        return ""
    return (
        f"< {row['mb_per_second_below']:.2g}" if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
    )


def _peak(*rows: dict) -> str:
    """Blank for a tool that never ended."""
    known = [row["peak_mb"] for row in rows if "peak_mb" in row]
    return f"{max(known):,.0f}" if known else ""


def short_contigs(result: dict) -> str:
    cases = {name: one for name, one in result.items() if isinstance(one, dict) and "contigs" in one}
    rows = [[name, one["mb_per_second_1"], one["mb_per_second_2"]] for name, one in cases.items()]
    rows.append(["times slower", result["times_slower_1"], result["times_slower_2"]])
    return f"### Scaling: many contigs\n\nMb/s, `repeats` {result.get('model', FIRST)}.\n\n" + table(
        ["genome", "1 thread", "2 threads"], rows
    )


def windows(result: dict) -> str:
    rows = [
        [name, *(three(one[measure]) for measure in ("accuracy", "mcc", "precision", "recall"))]
        for name, one in result["test"].items()
    ]
    published = result["published, other data"]
    rows.append(["published, other data", three(published["accuracy"]), three(published["mcc"]), None, None])
    parts = result["splits"]
    return (
        "### Repeats: classifiers of whole sequences\n\n"
        f"{2 * parts['test']['positives']} test sequences of human chromosome 1, half of them loci of UCSC's "
        "simpleRepeat, with the same lengths in both classes and no family in two splits; "
        f"{2 * parts['train']['positives']:,} to train on, which the spectrum network has not seen.\n\n"
        + table(["classifier", "accuracy", "MCC", "precision", "recall"], rows)
    )
