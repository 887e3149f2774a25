"""The bundled models do what their cards say: on simulated genomes with known answers, and on real ones."""

import shutil
import subprocess

import numpy as np
import pysam
import pytest
from commands import scan_file

from genoscan.scanner.calling.repeats import COLUMNS
from genoscan.scanner.calling.satellites import load_satellites
from genoscan.scanner.catalogue import MODELS, bundled_models
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.reading.genome import open_genome
from genoscan.training.data.demo import covered_shares, fasta_record, write_demo
from genoscan.training.data.simulate import label_bases, markov_sequence, random_table
from genoscan.training.metrics import count, measures


def scan_bed(genome, out, **options):
    scan_file(genome, bundled_models()["repeats"], out, **options)
    return out


def rows(path):
    return [line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#")]


def marked(path, contig, length):
    bases = np.zeros(length, dtype=np.uint8)
    for row in rows(path):
        if row[0] == contig:
            bases[int(row[1]) : int(row[2])] = 1
    return bases


@pytest.mark.parametrize("name", bundled_models())
def test_every_model_has_a_card_and_a_page(name):
    card = read_card(bundled_models()[name])
    assert card.name == name
    assert card.provenance.licence
    assert card.provenance.held_out
    assert card.provenance.metrics
    assert card.version in (MODELS / f"{name}.md").read_text()


def test_repeats_finds_planted_repeats(tmp_path):
    made = write_demo(tmp_path, 1_000_000, seed=20)
    out = scan_bed(made.genome, tmp_path / "o.bed")
    predicted, labels = [], []
    with open_genome(str(made.genome)) as genome:
        truth = [line.split("\t") for line in made.truth.read_text().splitlines()[1:]]
        for name, length in zip(genome.names, genome.lengths.tolist(), strict=True):
            inside = [(int(row[1]), int(row[2])) for row in truth if row[0] == name]
            spans = np.array(inside, dtype=[("start", "i8"), ("end", "i8")])
            labels.append(label_bases(spans, length))
            predicted.append(marked(out, name, length))
    found = measures(count(np.concatenate(predicted), np.concatenate(labels)))
    assert found["mcc"] >= 0.97
    assert (covered_shares(made.truth, out) > 0).mean() >= 0.85  # what is missed is short and much diverged


def test_repeats_calls_next_to_nothing_in_random_sequence(tmp_path):
    generator = np.random.default_rng(3)
    path = tmp_path / "random.fa"
    path.write_bytes(fasta_record("r", markov_sequence(generator, random_table(generator), 2_000_000)))
    out = scan_bed(path, tmp_path / "o.bed")
    assert sum(int(row[2]) - int(row[1]) for row in rows(out)) <= 2_000


def test_repeats_sees_a_repeat_at_a_contigs_very_end(tmp_path):
    generator = np.random.default_rng(4)
    unit = generator.integers(0, 4, 17).astype(np.uint8)
    background = generator.integers(0, 4, 900).astype(np.uint8)
    path = tmp_path / "ends.fa"
    repeat = np.tile(unit, 6)
    path.write_bytes(
        fasta_record("left", np.concatenate([repeat, background]))
        + fasta_record("right", np.concatenate([background, repeat]))
        + fasta_record("all", repeat)
    )
    out = scan_bed(path, tmp_path / "o.bed")
    for name, start, length in (("left", 0, 1002), ("right", 900, 1002), ("all", 0, 102)):
        found = marked(out, name, length)
        assert found[start : start + 102].mean() >= 0.97
        assert found.sum() <= 106


def test_repeats_is_the_same_in_short_and_long_windows(tmp_path):
    """A contig alone (a short window) and inside N (a full one) get the same calls."""
    made = write_demo(tmp_path, 20_000, seed=5)
    with open_genome(str(made.genome)) as genome:
        codes = genome.codes(0, 0, 4000)
    alone, padded = tmp_path / "alone.fa", tmp_path / "padded.fa"
    alone.write_bytes(fasta_record("c", codes))
    padded.write_bytes(fasta_record("c", np.concatenate([codes, np.full(40_000, 4, dtype=np.uint8)])))
    expected = rows(scan_bed(alone, tmp_path / "a.bed"))
    assert len(expected) > 0
    assert rows(scan_bed(padded, tmp_path / "p.bed")) == expected


def test_repeats_gives_the_same_bytes_for_any_tiles_threads_and_batches(tmp_path):
    made = write_demo(tmp_path, 400_000, seed=6)
    whole = scan_bed(made.genome, tmp_path / "w.bed").read_bytes()
    assert whole.count(b"\n") > 20
    for tile_size, threads in ((20_000, 1), (50_000, 2), (1_000_000, 2)):
        assert scan_bed(made.genome, tmp_path / "x.bed", tile_size=tile_size, threads=threads).read_bytes() == whole
    for batch_size in (1, 3, 8):
        assert scan_bed(made.genome, tmp_path / "b.bed", batch_size=batch_size).read_bytes() == whole


@pytest.mark.data
@pytest.mark.parametrize("name", ["genomes/yeast_R64-1-1.fa.gz", "genomes/hg38.chr1.chunk080.fa.gz"])
def test_real_genomes_give_tracks_that_the_fields_tools_accept(data_folder, tmp_path, name):
    out = tmp_path / "track.bed.gz"
    scan_bed(data_folder / name, out)
    with open_genome(str(data_folder / name)) as genome:
        lengths = dict(zip(genome.names, genome.lengths.tolist(), strict=True))
    with pysam.TabixFile(str(out), index=f"{out}.csi") as track:
        found = [row.split("\t") for row in track.fetch()]
    assert len(found) > 200
    names = {"tandem_repeat", *load_satellites().names}
    for chrom, start, end, called, score, strand, *said in found:
        assert 0 <= int(start) < int(end) <= lengths[chrom]
        assert 0 <= int(score) <= 1000
        assert called in names
        assert strand == "."
        assert len(said) == len(COLUMNS)
    order = list(lengths)
    assert found == sorted(found, key=lambda row: (order.index(row[0]), int(row[1])))
    if shutil.which("bedtools"):
        sizes = tmp_path / "sizes"
        sizes.write_text("".join(f"{chrom}\t{length}\n" for chrom, length in lengths.items()))
        merged = subprocess.run(
            ["bedtools", "merge", "-i", str(out)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        parts = sum(one[0] == other[0] and one[2] == other[1] for one, other in zip(found, found[1:], strict=False))
        assert len(merged) == len(found) - parts  # no call overlaps or touches another; parts of one call do
        covered = ["bedtools", "genomecov", "-i", str(out), "-g", str(sizes)]
        assert "genome\t1\t" in subprocess.run(covered, capture_output=True, text=True, check=True).stdout
    if shutil.which("tabix"):
        chrom, start, end = found[len(found) // 2][:3]
        region = f"{chrom}:{int(start) + 1}-{end}"
        fetched = subprocess.run(["tabix", str(out), region], capture_output=True, text=True, check=True).stdout
        assert fetched == "\t".join(found[len(found) // 2]) + "\n"


@pytest.mark.data
def test_a_samtools_region_is_the_same_sequence(data_folder, tmp_path):
    """What samtools cuts out at a call's place has the composition that the call's columns say."""
    if shutil.which("samtools") is None:
        pytest.skip("samtools is not installed")
    plain = tmp_path / "piece.fa"
    with pysam.BGZFile(str(tmp_path / "piece.fa.gz"), "wb") as bgzip:
        import gzip

        text = gzip.decompress((data_folder / "genomes/hg38.chr1.chunk080.fa.gz").read_bytes())
        text = text.replace(b"\n\n", b"\n")  # samtools reads no blank lines
        plain.write_bytes(text)
        bgzip.write(text)
    for path in (plain, tmp_path / "piece.fa.gz"):
        subprocess.run(["samtools", "faidx", str(path)], check=True)
    first = rows(scan_bed(plain, tmp_path / "a.bed"))
    assert first == rows(scan_bed(tmp_path / "piece.fa.gz", tmp_path / "b.bed"))
    said = [column.name for column in COLUMNS]
    for chrom, start, end, _, _, _, *columns in first[:20] + first[-20:]:
        command = ["samtools", "faidx", str(plain), f"{chrom}:{int(start) + 1}-{end}"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        cut = "".join(text.split("\n")[1:]).upper()
        assert len(cut) == int(end) - int(start)
        for letter in "ACGT":
            assert int(columns[said.index(letter)]) == (200 * cut.count(letter) + len(cut)) // (2 * len(cut))
