"""Small files under the names that the documents use, so that their commands run as they stand."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import bams
import checkpoints
import labelled
import methylomes
import numpy as np
import toys
from commands import invoke, scan_file
from documents import ROOT, fenced
from small_recipes import smaller

from genoscan.scanner.card import Marker, sequence_digest

Maker = Callable[[Path], object]


def made(*words: str) -> None:
    """Run a command that makes what a later one needs."""
    result = invoke(*words)
    assert result.exit_code == 0, result.stderr


def write(path: Path, text: str) -> None:
    """A text, gzip where the name says so."""
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


# ---- genomes


def bases(length: int, seed: int = 0) -> str:
    """Random bases with a tandem repeat of another unit every 5,000."""
    generator = np.random.default_rng(seed)
    letters = np.array(list("ACGT"))[generator.integers(0, 4, length)]
    for start in range(2000, length - 500, 5000):
        unit = letters[start : start + 3 + start // 5000]
        array = np.tile(unit, 12)[: 400 - start % 7]
        letters[start : start + len(array)] = array
    return "".join(letters)


def genome(**contigs: int | str) -> Maker:
    """A FASTA of contigs, each as its letters or as so many bases."""

    def make(path: Path) -> None:
        texts = {
            name: bases(one, seed) if isinstance(one, int) else one for seed, (name, one) in enumerate(contigs.items())
        }
        write(path, "".join(f">{name}\n{text}\n" for name, text in texts.items()))

    return make


def known_from(start: int, length: int) -> str:
    """A contig of which only so many bases from ``start`` on are known: far places without the work of the way."""
    return "N" * start + bases(length, 3)


def sheet(path: Path) -> None:
    for name in ("one.fa", "two.fa"):
        genome(chr1=6000)(path.with_name(name))
    path.write_text("sample\tgenome\none\tone.fa\ntwo\ttwo.fa\n")


def gc_model(path: Path) -> None:
    toys.write(path, toys.gc_model(200, 100))


def track(genome_name: str, model: str) -> Maker:
    """A track of a genome that is there, or is made."""

    def make(path: Path) -> None:
        if not Path(genome_name).exists():
            COMMON[genome_name](Path(genome_name))
        scan_file(genome_name, model, path)

    return make


def folder_of_tracks(path: Path) -> None:
    path.mkdir()
    track("genome.fa", "repeats")(path / "genome.repeats.bed.gz")


COMMON: dict[str, Maker] = {
    "genome.fa": genome(chr1=110_000, chr2=8000),
    "genome.fa.gz": genome(chr1=8000),
    "other.fa": genome(chr1=60_000),
    "a.fa": genome(chr1=8000),
    "b.fa": genome(chr1=6000),
    "b.fa.gz": genome(chr1=6000),
    "yeast_R64-1-1.fa.gz": genome(I=20_000, II=10_000),
    "ecoli.fa": genome(**{"U00096.2": known_from(360_000, 8000)}),
    "samples.tsv": sheet,
    "my.onnx": gc_model,
    "my.fp32.onnx": gc_model,
    "my.int8.onnx": gc_model,
    "gc.onnx": gc_model,
    "targets.bed": lambda path: path.write_text("chr1\t100\t900\n"),
    "my_satellites.fa": lambda path: path.write_text(">mine\nACGTTGCAACGT\n"),
    "chrom.sizes": lambda path: path.write_text("chr1\t110000\nchr2\t8000\n"),
    "repeats.bed.gz": track("genome.fa", "repeats"),
    "tracks": folder_of_tracks,
    "genome.2bit": lambda path: path.write_bytes(bytes.fromhex("4327411a00000000")),
    "NC_000913.3.fa": genome(**{"NC_000913.3": known_from(360_000, 12_000)}),
    "promoters.bb": track("NC_000913.3.fa", "promoter-ecoli"),
    "promoters.bw": track("NC_000913.3.fa", "promoter-ecoli"),
}
"""By name; a document may have others."""


# ---- labelled sequences and loci of repeats


def labelled_plants(targets: tuple[str, ...], count: int = 48) -> Maker:
    """Sequences of 170 bases of as many genes, a value for each target; some blank."""

    def make(path: Path) -> None:
        generator = np.random.default_rng(1)
        rows = []
        for gene, letters in enumerate(labelled.sequences(count, 170, 2)):
            values = [f"{one:.3f}" if one > -1 else "" for one in generator.normal(0, 1, len(targets))]
            rows.append([letters, f"gene{gene}", *values])
        labelled.write_table(path, ["sequence", "gene", *targets], rows)

    return make


PLANT_TARGETS = ("leaf_enh_dark", "leaf_enh_light", "leaf_noenh_dark", "leaf_noenh_light", "proto_enh", "proto_noenh")


def recipe_of_the_document(path: Path) -> None:
    (text,) = fenced(ROOT / "docs" / "training.md", "toml")
    path.write_text(smaller(text).replace(".tsv.gz", ".tsv"))


def promoter_places(path: Path) -> None:
    """Starts on the contig ``chr`` of genome.fa, in the columns that `genoscan data promoters` reads."""
    letters = bases(100_000)
    generator = np.random.default_rng(5)
    rows = []
    for start in range(400, 99_000, 1400):
        strength = f"{generator.gamma(1.0):.3f}"
        rows.append([f"p{start}", letters[start : start + 150], strength, start, start + 150, "+"])
    labelled.write_table(path, ["name", "sequence", "expression", "start", "end", "strand"], rows)


def soft_masked(path: Path) -> None:
    """A hundred and fifty contigs with an array each, in lower case and in `vntrs.vcf`: families of few sequences, so
    that each split gets some."""
    generator = np.random.default_rng(6)
    letters = np.array(list("ACGT"))
    records, vcf = [], ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    for number in range(1, 151):
        array = 4 * "".join(letters[generator.integers(0, 4, generator.integers(9, 20))])
        before, behind = ("".join(letters[generator.integers(0, 4, size)]) for size in (500, 3000))
        records.append(f">chr{number}\n{before}{array.lower()}{behind}\n")
        vcf.append(f"chr{number}\t501\t.\t{array}\t.\t.\t.\t.")
    write(path, "".join(records))
    path.with_name("vntrs.vcf").write_text("\n".join(vcf) + "\n")


TRAINING: dict[str, Maker] = {
    "genome.fa": genome(chr=100_000),
    "ecoli.fa": genome(chr=20_000),
    "test-blocks.bed": lambda path: path.write_text("chr\t1000\t2000\n"),
    "net.checkpoint=dnabert": lambda path: checkpoints.dnabert(path.with_name("dnabert"), max_position_embeddings=200),
    "my.toml": recipe_of_the_document,
    "promoters.tsv": labelled_plants(("leaf", "protoplast")),
    "plant_core_promoters.tsv.gz": labelled_plants(PLANT_TARGETS),
    "tss.tsv.gz": promoter_places,
    "hg38.fa": soft_masked,
    "trf.bed": lambda path: path.write_text("chr1\t100\t200\n"),
}


# ---- methylation


def _markers() -> tuple[str, list[list[str]]]:
    """chr1 of the genome that stands in for hg38, and the lines of an atlas of it (head first), cell by cell."""
    folder = Path(".methylomes")
    folder.mkdir(exist_ok=True)
    atlas = methylomes.write_atlas(folder / "atlas.tsv")
    letters = methylomes.write_genome(folder / "genome.fa", atlas).read_text().split("\n")[1]
    lines = [line.replace("chr7", "chr1").split("\t") for line in atlas.read_text().splitlines()]
    return letters, lines


def methylated_genome(path: Path) -> None:
    write(path, f">chr1\n{_markers()[0]}\n")


def panel(path: Path) -> None:
    """An atlas with its bases."""
    write(path, "".join("\t".join(line) + "\n" for line in _markers()[1]))


def numbered_atlas(path: Path) -> None:
    """An atlas with the numbers of its CpGs."""
    letters, (head, *lines) = _markers()
    before = [0, *accumulate(letters[at : at + 2] == "CG" for at in range(len(letters)))]
    rows = [[*head[:3], "startCpG", "endCpG", *head[3:5], *head[7:]]]
    for line in lines:
        start, end = int(line[1]), int(line[2])
        rows.append([*line[:3], str(before[start] + 1), str(before[end] + 1), *line[3:5], *line[7:]])
    write(path, "".join("\t".join(row) + "\n" for row in rows))


def _reads(liver: float, seed: int) -> Iterator[tuple[int, str, list[int]]]:
    """Reads on the markers, as start, letters of the reference and states of their CpGs, of blood and some liver."""
    letters, (_, *lines) = _markers()
    generator = np.random.default_rng(seed)
    for line in lines:
        shares = [float(one) if one != "NA" else 0.5 for one in line[7:]]
        for _ in range(60):
            unmethylated = generator.random() < (shares[1] if generator.random() < liver else shares[0])
            start = int(line[1]) + int(generator.integers(0, 40))
            text = letters[start : start + 80]
            states = [int((generator.random() < 0.95) != unmethylated) for _ in re.findall("CG", text)]
            yield start, text, states


def bisulfite_bam(path: Path) -> None:
    contig, reads = _markers()[0], []
    for number, (start, text, states) in enumerate(sorted(_reads(0.2, 1))):
        told = iter(states)
        seen = "".join(
            one if one != "C" else "TC"[next(told)] if text[at + 1 : at + 2] == "G" else "T"
            for at, one in enumerate(text)
        )
        reads.append(bams.read(f"r{number}", seen, start, tags=[("YD", "f")]))
    bams.write_bam(path, {"chr1": len(contig)}, reads)


def pat(liver: float, seed: int) -> Maker:
    def make(path: Path) -> None:
        letters = _markers()[0]
        before = [0, *accumulate(letters[at : at + 2] == "CG" for at in range(len(letters)))]
        kinds: dict[tuple[int, str], int] = {}
        for start, text, states in _reads(liver, seed):
            first = before[start] + 1
            assert before[start + len(text) - 1] - before[start] == len(states)
            kind = first, "".join("TC"[one] for one in states)
            kinds[kind] = kinds.get(kind, 0) + 1
        write(path, "".join(f"chr1\t{first}\t{states}\t{n}\n" for (first, states), n in sorted(kinds.items())))

    return make


def model_of_reads(path: Path) -> None:
    """Two classes, told by how many CpGs are methylated, at the markers."""
    letters, (_, *lines) = _markers()
    places = [(int(line[1]), int(line[2]), "methylated") for line in lines]
    markers = [
        Marker(chrom="chr1", start=start, end=end, target=target, digest=sequence_digest(letters[start:end]))
        for start, end, target in places
    ]
    toys.write(path, toys.read_model(150, assembly="hg38", markers=markers))


def healthy(path: Path) -> None:
    names = ["healthy1.pat", "healthy2.pat"]
    for seed, name in enumerate(names):
        pat(0.02 * seed, 10 + seed)(Path(name))
    made("deconvolve", *names, "--atlas", "atlas.tsv", "--resamples", "5", "-q", "-o", str(path))


def array_samples(path: Path) -> None:
    path.write_text("CpGs,one,two\n" + "".join(f"cg{n},{0.1 * n:.1f},{1 - 0.1 * n:.1f}\n" for n in range(1, 10)))


def array_reference(path: Path) -> None:
    path.write_text("CpGs,Liver,Blood\n" + "".join(f"cg{n},{0.1 * n:.1f},{1 - 0.1 * n:.1f}\n" for n in range(1, 10)))


def counted_regions(path: Path) -> None:
    lines = ["chrom\tstart\tend\ta_meth\ta_depth\tchrom\tstart\tend\tliver_meth\tliver_depth\tblood_meth\tblood_depth"]
    for n in range(1, 10):
        place = f"chr1\t{100 * n}\t{100 * n + 50}"
        lines.append(f"{place}\t{n}\t10\t{place}\t{2 * n}\t20\t{20 - 2 * n}\t20")
    path.write_text("\n".join(lines) + "\n")


def several_pats(_: Path) -> None:
    for seed, name in enumerate(("first.pat.gz", "second.pat.gz")):
        pat(0.1 * seed, seed)(Path(name))


def known_reads(path: Path) -> None:
    """Of the regions 0, 1 and 8."""
    path.write_text(re.sub(r"2$", "8", methylomes.write_reads(path).read_text(), flags=re.MULTILINE))


METHYLATION: dict[str, Maker] = {
    "hg38.fa": methylated_genome,
    "tissue": model_of_reads,  # a file wins over a bundled model
    "panel.tsv.gz": panel,
    "atlas.tsv": numbered_atlas,
    "tissue.onnx": model_of_reads,
    "sample.bam": bisulfite_bam,
    "cfdna.bam": bisulfite_bam,
    "sample.pat.gz": pat(0.3, 2),
    "a.pat.gz": pat(0.1, 3),
    "b.pat.gz": pat(0.4, 4),
    "*.pat.gz": several_pats,
    "patient.pat.gz": pat(0.4, 5),
    "healthy.tsv": healthy,
    "arrays.csv": array_samples,
    "reference_atlas.csv": array_reference,
    "regions.tsv": counted_regions,
    "reads.tsv": known_reads,
}
