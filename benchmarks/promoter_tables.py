"""One function a table of promoters in benchmarks/README.md: from a script's JSON to Markdown with a heading."""

from __future__ import annotations

from table_parts import bold, percent, table, three, whole


def plant(result: dict) -> str:
    networks = result["networks"]
    measures = [one for one in next(iter(networks.values()))["test"] if one.startswith("r2_determination/")]
    rows = [
        [bold(name), *(_with_interval(one["test"][measure]) for measure in ("mean/r2_determination", *measures))]
        for name, one in networks.items()
    ]
    return (
        "### Promoters: strength in plants\n\n"
        "R2 (determination) on genes of no training, with bootstrap intervals of 95 %; "
        "a network like that of Jores et al. 2021 on the same rows.\n\n"
        + table(["network", "mean", *(one.split("/")[1] for one in measures)], rows)
    )


def _with_interval(found: dict) -> str:
    return f"{found['value']:.2f} ({found['low']:.2f}-{found['high']:.2f})"


def gue(result: dict) -> str:
    rows = [
        [f"genoscan's network, {one['weights']:,} weights, from scratch", name, _with_interval(one["test"]["mcc"])]
        for name, one in result["sets"].items()
    ]
    rows += [[f"{name}, pretrained (published)", "core promoters", three(value)]
             for name, value in result["published MCC"].items()]  # fmt: skip
    return (
        "### Promoters: GUE's human core promoters\n\nMCC on the test split as published "
        "([GUE](https://arxiv.org/abs/2306.15006)); published figures as "
        "[DNALLM-Mark](https://github.com/zhangtaolab/dnallmmark) has them.\n\n"
        + table(["network", "set", "MCC"], rows)
    )


def track(result: dict) -> str:
    tools = result["tools"]
    measures = ("average_precision", "precision at 1 calls a peak", "recall at 1 calls a peak", "spearman")
    rows = [[bold(tool), *(three(one[measure]) for measure in measures)] for tool, one in tools.items()]
    return (
        "### Promoters: a track of E. coli\n\n"
        f"Against {result['peaks']} measured peaks in parts of the genome that were kept back.\n\n"
        + table(["tool", *measures], rows)
    )


def other_track(result: dict) -> str:
    text = track(result).replace("a track of E. coli", "the track on other stretches")
    return text.replace("kept back", "not kept back: settings were chosen there, and most was trained on")


def promoter_scans(result: dict) -> str:
    rows = [
        [bold(f"genoscan {name}"), one["megabases_a_second"], f"{one['minutes_for_a_human_genome']:.0f} min"]
        for name, one in result["models"].items()
    ]
    return (
        "### Promoters: whole scans\n\nThe whole command on "
        f"{result['bases'] / 1e6:.1f} Mb of human sequence, both strands, {result['threads']} threads.\n\n"
        + table(["model", "Mb/s", "human genome"], rows)
    )


def shuffled(result: dict) -> str:
    megabases = result["bases"] / 1e6
    rows = [
        [f"{one['height']:.2f}", f"{one['calls'] / megabases:.1f}", f"{one['shuffled'] / megabases:.1f}"]
        for one in result["false_discovery"]
    ]
    return (
        f"### Promoters: {result['model']} in shuffled sequence\n\nPeaks a megabase of a height or more, in "
        f"{megabases:.1f} Mb and in the same dinucleotides shuffled.\n\n"
        + table(["height", "genome", "shuffled"], rows)
    )


def starts(result: dict) -> str:
    rows = [
        [one["threshold"], f"{one['calls a megabase']:.1f}", percent(one["share near a start"]),
         percent(one["share of starts found"])]
        for one in result["thresholds"]
    ]  # fmt: skip
    chance = percent(result["share near a start by chance"])
    return (
        f"### Promoters: {result['model']} beside annotated starts\n\n{result['starts']} starts in "
        f"{result['megabases']:.1f} Mb; {chance} of places are near one by chance.\n\n"
        + table(["threshold", "calls a Mb", "near a start", "starts found"], rows)
    )


def ways(result: dict) -> str:
    def row(one: dict) -> list:
        pearson = one["measures"]["test"]["pearson"]
        return [
            bold("promoter-ecoli's network") if one["label"] == "boxes" else one["label"],
            f"{pearson['value']:.3f} ({pearson['low']:.3f}-{pearson['high']:.3f})",
            f"{one['trainable']:,}", f"{one['parameters']:,}", whole(one["seconds"]), whole(one["peak_memory"] / 1e6),
        ]  # fmt: skip

    network = result["network"]
    return (
        "### Promoters: ways to adapt a transformer\n\n"
        "Strength of E. coli promoters in stretches of the genome that were held out: a BERT over "
        f"{network['tokens']} tokens ({network['num_hidden_layers']} layers, {network['hidden_size']} wide), from "
        "random weights (scratch) or pretrained (masked, views, profiles) and then adapted, beside a network made for "
        "promoters.\n\n"
        + table(["way", "Pearson (95 %)", "trainable", "weights", "seconds", "peak MB"], map(row, result["ways"]))
    )
