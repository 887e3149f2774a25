"""`genoscan deconvolve` as a user meets it: samples of reads on a toy atlas, tables, resuming, errors."""

import csv
import io
import json
import os

import methylomes
import numpy as np
import pytest
import toys
from commands import invoke, run

from genoscan.scanner.card import Marker, sequence_digest
from genoscan.scanner.deconvolution import cohort
from genoscan.scanner.errors import GenoscanError, UsageError

TYPES = ("Blood-T", "Liver", "Neuron")
ATLAS = "\n".join(
    [
        "\t".join(("chr", "start", "end", "startCpG", "endCpG", "target", "direction", *TYPES)),
        "chr1\t100\t200\t11\t17\tBlood-T\tU\t0.95\t0\t0",
        "chr1\t300\t400\t21\t27\tLiver\tU\t0\t0.9\t0.01",
        "chr1\t500\t600\t31\t37\tNeuron\tU\t0\t0.02\t0.95",
        "",
    ]
)


def pat(path, shares, seed=0, reads=300):
    """Reads of five CpGs on each of the atlas' markers, of a mixture of the three cell types."""
    generator = np.random.default_rng(seed)
    profiles = np.array([[0.95, 0, 0], [0, 0.9, 0.01], [0, 0.02, 0.95]])
    kinds = {}
    for first, share in zip((11, 21, 31), profiles @ np.array(shares), strict=True):
        for _ in range(reads):
            level = 0.03 if generator.random() < share else 0.96
            letters = "".join("C" if one else "T" for one in generator.random(5) < level)
            kinds[first, letters] = kinds.get((first, letters), 0) + 1
    path.write_text("".join(f"chr1\t{first}\t{letters}\t{n}\n" for (first, letters), n in sorted(kinds.items())))
    return path


@pytest.fixture
def atlas(tmp_path):
    path = tmp_path / "atlas.tsv"
    path.write_text(ATLAS)
    return path


def rows(text):
    if isinstance(text, bytes):
        text = text.decode()
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def shares_of(text):
    found = {}
    for row in rows(text):
        found.setdefault(row["sample"], {})[row["tissue"]] = float(row["proportion"])
    return found


@pytest.mark.parametrize("method", ["likelihood", "least-squares"])
def test_two_samples_in_one_table(tmp_path, atlas, method):
    first, second = (
        pat(tmp_path / "a.pat", (0.8, 0.2, 0)),
        pat(tmp_path / "b.pat", (0.5, 0, 0.5), 1),
    )
    result = invoke("deconvolve", first, second, "--atlas", atlas, "--method", method, "--resamples", "20", "-q")
    assert result.exit_code == 0, result.stderr
    found = shares_of(result.stdout_bytes)
    assert list(found) == ["a", "b"]
    assert list(found["a"]) == [*TYPES, "unknown"]
    np.testing.assert_allclose(list(found["a"].values()), [0.8, 0.2, 0, 0], atol=0.08)
    np.testing.assert_allclose(list(found["b"].values()), [0.5, 0, 0.5, 0], atol=0.08)
    for row in rows(result.stdout_bytes):
        assert float(row["low"]) <= float(row["proportion"]) <= float(row["high"])
        assert (row["reads"], row["method"]) == ("900", method)


def test_a_killed_cohort_goes_on_and_has_the_same_bytes(tmp_path, atlas, monkeypatch):
    samples = [str(pat(tmp_path / f"{name}.pat", (0.6, 0.3, 0.1), seed)) for seed, name in enumerate("abc")]
    options = {"atlas": str(atlas), "resamples": 5, "quiet": True}
    whole, out = tmp_path / "whole.tsv", tmp_path / "out.tsv"
    cohort.deconvolve(samples, str(whole), **options)
    assert not os.path.exists(f"{whole}.samples")

    read, calls = cohort._read_estimates, []

    def failing(path, *rest):
        calls.append(path)
        if path.endswith("c.pat"):
            raise GenoscanError("the machine went away")
        return read(path, *rest)

    monkeypatch.setattr(cohort, "_read_estimates", failing)
    with pytest.raises(GenoscanError) as caught:
        cohort.deconvolve(samples, str(out), **options)
    assert caught.value.__notes__ == ["2 finished inputs are kept; run again with --resume to go on"]
    assert not out.exists()

    calls.clear()
    monkeypatch.setattr(cohort, "_read_estimates", lambda path, *rest: calls.append(path) or read(path, *rest))
    with pytest.raises(GenoscanError, match="option seed differ from the interrupted call"):
        cohort.deconvolve(samples, str(out), resume=True, seed=1, **options)
    cohort.deconvolve(samples, str(out), resume=True, **options)
    assert calls == samples[2:]
    assert out.read_bytes() == whole.read_bytes()
    assert not os.path.exists(f"{out}.samples")


def test_changed_or_damaged_samples_are_done_again(tmp_path, atlas, monkeypatch):
    samples = [str(pat(tmp_path / f"{name}.pat", (0.6, 0.3, 0.1), seed)) for seed, name in enumerate("abc")]
    options = {"atlas": str(atlas), "resamples": 0, "quiet": True}
    out, read = tmp_path / "out.tsv", cohort._read_estimates

    def full(_):
        raise GenoscanError("disk full")

    monkeypatch.setattr(cohort, "open_output", full)
    with pytest.raises(GenoscanError, match="disk full"):
        cohort.deconvolve(samples, str(out), **options)
    monkeypatch.undo()
    pat(tmp_path / "a.pat", (0.1, 0.1, 0.8))
    os.utime(tmp_path / "a.pat", (1, 1))
    (kept,) = [
        one
        for one in (tmp_path / "out.tsv.samples").glob("*.json")
        if json.loads(one.read_text()).get("source") == samples[1]
    ]
    kept.write_text(kept.read_text().replace("0.", "1.", 1))
    calls = []
    monkeypatch.setattr(cohort, "_read_estimates", lambda path, *rest: calls.append(path) or read(path, *rest))
    cohort.deconvolve(samples, str(out), resume=True, **options)
    assert calls == samples[:2]
    assert shares_of(out.read_text())["a"]["Neuron"] > 0.7


def test_baseline_adds_columns_and_plot_is_drawn(tmp_path, atlas):
    healthy, out = tmp_path / "healthy.tsv", tmp_path / "out.tsv"
    normal = [pat(tmp_path / f"{name}.pat", (0.95, 0.05, 0), seed) for seed, name in enumerate("abc")]
    patient = pat(tmp_path / "patient.pat", (0.7, 0.3, 0), 9)
    options = ["--atlas", atlas, "--resamples", "20", "-q"]
    assert invoke("deconvolve", *normal, *options, "-o", healthy).exit_code == 0
    plot = tmp_path / "bars.png"
    result = invoke("deconvolve", patient, *options, "--baseline", healthy, "-o", out, "--plot", plot)
    assert result.exit_code == 0, result.stderr
    flags = {row["tissue"]: row["elevated"] for row in rows(out.read_text())}
    assert flags == {"Blood-T": "no", "Liver": "yes", "Neuron": "no", "unknown": "no"}
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_model_of_reads_gives_proportions(tmp_path):
    """The toy model calls a read by whether more of its CpGs are methylated or not: 30 of 40 reads are."""
    genome = tmp_path / "genome.fa"
    letters = ("ACGTT" * 40)[:200]
    genome.write_text(f">chr1\n{letters}\n")
    sample = tmp_path / "sample.pat"
    sample.write_text("chr1\t5\tCCCC\t30\nchr1\t9\tTTTT\t10\n")
    marker = Marker(chrom="chr1", start=0, end=200, digest=sequence_digest(letters))
    model = toys.write(tmp_path / "m.onnx", toys.read_model(assembly="toy1", markers=(marker,)))
    options = ["--model", model, "--genome", genome, "--resamples", "50", "-q", "--device", "cpu"]
    result = invoke("deconvolve", sample, *options, "--no-unknown")
    assert result.exit_code == 0, result.stderr
    found = rows(result.stdout_bytes)
    assert [row["tissue"] for row in found] == ["methylated", "unmethylated"]
    assert float(found[0]["proportion"]) == pytest.approx(0.75, abs=0.01)
    assert 0.5 < float(found[0]["low"]) < 0.72
    assert (found[0]["reads"], found[0]["method"]) == ("40", "likelihood:reads")


def test_positions_and_cpg_numbers_give_the_same(tmp_path):
    """A .pat on a genome, and by the atlas' CpG numbers without it."""
    atlas = methylomes.write_atlas(tmp_path / "atlas.tsv")
    genome = methylomes.write_genome(tmp_path / "genome.fa", atlas)
    lines = atlas.read_text().splitlines()
    contig = genome.read_text().splitlines()[1]
    places = [i + 1 for i in range(len(contig) - 1) if contig[i : i + 2] == "CG"]
    numbered = [f"{lines[0]}\tstartCpG\tendCpG"]
    for line in lines[1:]:
        start, end = map(int, line.split("\t")[1:3])
        numbered.append(f"{line}\t{sum(p <= start for p in places) + 1}\t{sum(p <= end for p in places) + 1}")
    atlas.write_text("\n".join(numbered).replace("chr7", "chr1") + "\n")
    genome.write_text(genome.read_text().replace("chr7", "chr1"))
    sample = tmp_path / "sample.pat"
    firsts = [int(line.split("\t")[-2]) for line in numbered[1:]]
    sample.write_text("".join(f"chr1\t{first}\tTTTTC\t5\nchr1\t{first + 1}\tCCCCC\t7\n" for first in firsts))
    options = ["--atlas", atlas, "--resamples", "0", "-q"]
    without = invoke("deconvolve", sample, *options)
    placed = invoke("deconvolve", sample, *options, "--genome", genome)
    assert without.exit_code == placed.exit_code == 0, without.stderr + placed.stderr
    assert without.stdout_bytes == placed.stdout_bytes
    assert {row["reads"] for row in rows(placed.stdout_bytes)} == {"48"}
    genome.write_text(genome.read_text().replace("CG", "GC"))
    other = invoke("deconvolve", sample, *options, "--genome", genome)
    assert other.exit_code == 1


def test_a_table_is_a_cohort(tmp_path):
    generator = np.random.default_rng(3)
    levels = generator.choice([0.1, 0.9], (60, 2))
    lines = [
        "chrom\tstart\tend\ts1_meth\ts1_depth\ts2_meth\ts2_depth\tchrom\tstart\tend\tA_meth\tA_depth\tB_meth\tB_depth"
    ]
    for n, (a, b) in enumerate(levels):
        place = f"chr1\t{n}\t{n + 1}"
        one, two = (generator.binomial(200, share * a + (1 - share) * b) for share in (0.8, 0.3))
        lines.append(f"{place}\t{one}\t200\t{two}\t200\t{place}\t{a * 500:.0f}\t500\t{b * 500:.0f}\t500")
    table = tmp_path / "table.tsv"
    table.write_text("\n".join(lines) + "\n")
    result = invoke("deconvolve", table, "--no-unknown", "--resamples", "10", "-q")
    assert result.exit_code == 0, result.stderr
    found = shares_of(result.stdout_bytes)
    assert found["s1"]["A"] == pytest.approx(0.8, abs=0.03)
    assert found["s2"]["A"] == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{pat}"], 2, "needs an atlas or a model of reads: give --atlas, or --model"),
        (["{pat}", "{pat}", "--atlas", "{atlas}"], 2, "its sample 'a' is also in"),
        (["missing.pat", "--atlas", "{atlas}"], 1, "missing.pat: cannot be read: No such file or directory"),
        (["{far}", "--atlas", "{atlas}"], 1, "no read tells of a CpG in the markers"),
        (["{bed}", "--atlas", "{atlas}"], 2, "give the one it was aligned to with --genome"),
        (["{table}"], 2, "is a table of regions: give the reference table with --atlas"),
        (["{table}", "--model", "x.onnx"], 2, "reads only"),
        (["{pat}", "--atlas", "{atlas}", "-o", "{pat}"], 2, "is an input of this scan"),
        (["{pat}", "--atlas", "{atlas}", "--plot", "x.txt"], 2, "must end in .png, .svg, .pdf"),
        (["{pat}", "--atlas", "{atlas}", "--baseline", "{atlas}"], 2, "is no table of proportions"),
    ],
)
def test_mistakes_have_one_line(tmp_path, atlas, arguments, code, message):
    far = tmp_path / "far.pat"
    far.write_text("chr1\t900\tCCCC\t3\n")
    bed = tmp_path / "sites.bed"
    bed.write_text("chr1\t5\t6\tm\t10\t+\t5\t6\t0,0,0\t10\t50.0\n")
    table = tmp_path / "table.csv"
    table.write_text("CpGs,a\ncg1,0.5\n")
    places = {"pat": pat(tmp_path / "a.pat", (1, 0, 0)), "atlas": atlas, "far": far, "bed": bed, "table": table}
    result = invoke("deconvolve", *(one.format(**places) for one in arguments), "-q")
    assert result.exit_code == code, result.stderr
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_as_a_process(tmp_path, atlas):
    found = run("deconvolve", pat(tmp_path / "a.pat", (0.5, 0.5, 0)), "--atlas", atlas, "--resamples", "0")
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(b"sample\ttissue\tproportion\tlow\thigh\treads\tmethod\na\tBlood-T\t0.")
    assert b"proportions of 1 sample of 900 reads" in found.stderr


def test_unknown_methods_are_refused():
    with pytest.raises(UsageError, match="unknown method 'magic'"):
        cohort.DeconvolveOptions(method="magic")
