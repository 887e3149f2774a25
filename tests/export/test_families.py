"""Every family from its own files to a track: the judge is transformers' own tokenizer and forward pass."""

import gzip

import checkpoints
import numpy as np
import pytest
import torch
from checkpoints import bases, kmer_words
from commands import invoke, scan_file
from fastas import write
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForTokenClassification,
    EsmForTokenClassification,
)

from genoscan.export.families import CheckpointSettings, open_checkpoint
from genoscan.export.parity import tensors
from genoscan.scanner.inference.session import open_model, read_card
from genoscan.training.nets.alibi_bert import AlibiBertForSequenceClassification
from genoscan.training.nets.gated_esm import GatedEsmForSequenceClassification

WINDOW, STEP = 90, 30
CODES = {letter: code for code, letter in enumerate("ACGTN")}


def gated(folder):
    """The second version of the Nucleotide Transformer: gated units, rotary positions."""
    more = {"position_embedding_type": "rotary", "add_bias_fnn": False, "token_dropout": False}
    return checkpoints.nucleotide_transformer(folder, net=GatedEsmForSequenceClassification, **more)


def as_it_is(sequence):
    return sequence


FAMILIES = {
    "dnabert-3": (checkpoints.dnabert, lambda text: kmer_words(text, 3), AutoModelForSequenceClassification),
    "dnabert-6": (
        lambda folder: checkpoints.dnabert(folder, 6),
        lambda text: kmer_words(text, 6),
        AutoModelForSequenceClassification,
    ),
    "nucleotide-transformer": (
        checkpoints.nucleotide_transformer,
        as_it_is,
        AutoModelForSequenceClassification,
    ),
    "nucleotide-transformer-v2": (gated, as_it_is, GatedEsmForSequenceClassification),
    "grover": (checkpoints.grover, as_it_is, AutoModelForSequenceClassification),
    "dnabert-2": (checkpoints.dnabert2, as_it_is, AlibiBertForSequenceClassification),
}
OVERLAPPING = ("dnabert-3", "dnabert-6")


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """Name, folder of the checkpoint, what writes a sequence for its tokenizer, its network, and the export."""
    make, text, kind = FAMILIES[request.param]
    folder = make(tmp_path_factory.mktemp(request.param) / "checkpoint")
    output = folder.parent / "model.onnx"
    result = invoke("export", folder, "-o", output, "--window", WINDOW, "--step", STEP, "--strand", "symmetric")
    assert result.exit_code == 0, result.stderr
    return request.param, folder, text, kind.from_pretrained(folder).eval(), output


def expected_score(family, sequence):
    """The second class's share, from the checkpoint's own tokenizer and network."""
    _, folder, text, net, _ = family
    with torch.inference_mode():
        logits = net(input_ids=checkpoints.tokens(folder, text(sequence))).logits
    return torch.softmax(logits[0], dim=0)[1].item()


def scores_of(path, contig):
    """{first base of each run: (end, score)} of a bedGraph."""
    rows = [line.split("\t") for line in path.read_text().splitlines() if line.startswith(contig + "\t")]
    return [(int(start), int(end), float(score)) for _, start, end, score in rows]


def test_tokens_are_the_tokenizers(family):
    name, folder, text, _, output = family
    tokenizer = AutoTokenizer.from_pretrained(folder)
    card = read_card(output)
    sequences = [bases(WINDOW, seed) for seed in range(6)]
    sequences += [bases(WINDOW, seed, (5, 40, 41, 42, WINDOW - 3)) for seed in range(6)]
    sequences += ["A" * WINDOW, "N" * 20 + bases(WINDOW - 40) + "N" * 20]
    codes = np.array([[CODES[letter] for letter in sequence] for sequence in sequences], dtype=np.uint8)
    found = {}
    for rows, tensor in tensors(card, codes):
        found |= {int(row): tokens.tolist() for row, tokens in zip(rows, tensor, strict=True)}
    for row, sequence in enumerate(sequences):
        cut = sequence if name in OVERLAPPING else sequence.strip("N")
        expected = tokenizer(text(cut))["input_ids"]
        filled = found[row][len(expected) :]
        assert found[row][: len(expected)] == expected
        assert len(filled) < 8
        assert set(filled) <= {tokenizer.pad_token_id}


def test_a_scan_gives_the_checkpoints_scores(family, tmp_path):
    """Windows inside, at both ends, about N, and in a contig shorter than a window."""
    name, _, _, _, output = family
    long = bases(600, 7, (300, 301, 305))
    short = bases(70, 8)
    genome = write(tmp_path, f">long\n{long}\n>short\n{short}\n".encode())
    scan_file(genome, output, tmp_path / "out.bedgraph", format="bedgraph")
    scores = np.full(600, np.nan)
    for start, end, score in scores_of(tmp_path / "out.bedgraph", "long"):
        scores[start:end] = score
    for cell in range(0, 600, STEP):
        start = min(max(cell - (WINDOW - STEP) // 2, 0), 600 - WINDOW)
        window = long[start : start + WINDOW]
        expected = expected_score(family, window if name in OVERLAPPING else window.strip("N"))
        assert scores[cell : cell + STEP] == pytest.approx(np.full(STEP, expected), abs=2e-4), (name, cell)
    assert np.nanstd(scores) > 0.01
    found = scores_of(tmp_path / "out.bedgraph", "short")
    if name in OVERLAPPING:  # a fifth of the window would be unknown
        assert not found
    else:
        assert len({score for *_, score in found}) == 1
        assert found[0][2] == pytest.approx(expected_score(family, short), abs=2e-4)


def test_scores_do_not_depend_on_tiles_and_batches(family, tmp_path):
    *_, output = family
    contigs = [bases(length, length, (length // 2,)) for length in (900, 75, 400)]
    text = "".join(f">c{number}\n{contig}\n" for number, contig in enumerate(contigs))
    genome = write(tmp_path, text.encode())
    tracks = []
    for number, tile in enumerate((1, 200, 10**6)):
        scan_file(genome, output, tmp_path / f"{number}.bedgraph", format="bedgraph", tile_size=tile, batch_size=4)
        tracks.append((tmp_path / f"{number}.bedgraph").read_bytes())
    assert tracks[0] == tracks[1] == tracks[2]
    assert tracks[0].count(b"\n") > 30
    scan_file(genome, output, tmp_path / "large.bedgraph", format="bedgraph", batch_size=64)
    for contig in ("c0", "c1", "c2"):
        one, other = (scores_of(tmp_path / name, contig) for name in ("0.bedgraph", "large.bedgraph"))
        assert [score for *_, score in one] == pytest.approx([score for *_, score in other], abs=2e-4)


def test_the_card(family):
    name, folder, *_ = family
    card = read_card(family[-1])
    assert card.name == "checkpoint"
    assert (card.task, card.window, card.step, card.context) == ("classification", WINDOW, STEP, (WINDOW - STEP) // 2)
    assert card.output.names == ("LABEL_0", "LABEL_1")
    assert card.output.called == ("LABEL_1",)
    assert card.provenance.parity["random_largest"] < 1e-4
    kind = {"grover": "byte-pair", "dnabert-2": "byte-pair"}.get(name, "kmer")
    assert card.input.kind == kind
    if kind == "byte-pair":
        assert str(folder) not in card.input.tokenizer


def test_no_window_is_filled_up_to_the_networks_length(family):
    """Tokens that reach the network for 90 bases; the networks read 102 or 128."""
    card = read_card(family[-1])
    codes = np.resize(np.arange(4, dtype=np.uint8), (1, WINDOW))
    ((_, tensor),) = tensors(card, codes)
    assert tensor.shape[1] == {"dnabert-3": 90, "dnabert-6": 87}.get(family[0], tensor.shape[1])
    if family[0].startswith("nucleotide"):
        assert tensor.shape[1] == 1 + 15
    if card.input.kind == "byte-pair":
        assert tensor.shape[1] % 8 == 0
        assert tensor.shape[1] < 70


@pytest.mark.data
def test_a_real_genome(family, data_folder, tmp_path):
    """3,000 bases of yeast's chromosome I against transformers' forward pass on each window."""
    name, *_, output = family
    source = data_folder / "genomes" / "yeast_R64-1-1.fa.gz"
    if not source.is_file():
        pytest.skip("no yeast genome")
    with gzip.open(source, "rt") as file:
        lines = [line.strip() for line, _ in zip(file, range(2000), strict=False)]
    contig, sequence = lines[0][1:].split()[0], "".join(lines[1:]).upper()[:60_000]
    assert set(sequence) <= set("ACGTN")
    genome = write(tmp_path, f">{contig}\n{sequence}\n".encode())
    scan_file(genome, output, tmp_path / "out.bedgraph", format="bedgraph", regions=[f"{contig}:30,001-33,000"])
    found = scores_of(tmp_path / "out.bedgraph", contig)
    assert sum(end - start for start, end, _ in found) == 3000
    scores = {base: score for start, end, score in found for base in range(start, end)}
    for cell in range(30_000, 33_000, STEP):
        window = sequence[cell - (WINDOW - STEP) // 2 :][:WINDOW]
        assert scores[cell] == pytest.approx(expected_score(family, window), abs=2e-4), (name, cell)


# ---- scores of tokens


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (checkpoints.dnabert, BertForTokenClassification, lambda one: kmer_words(one, 3)),
        (checkpoints.nucleotide_transformer, EsmForTokenClassification, as_it_is),
        (checkpoints.grover, BertForTokenClassification, as_it_is),
    ],
    ids=["dnabert", "nucleotide-transformer", "grover"],
)
def test_scores_of_tokens_become_scores_of_their_bases(make, kind, text, tmp_path):
    folder = make(tmp_path / "checkpoint", head="token", num_labels=3, id2label={0: "none", 1: "exon", 2: "intron"})
    settings = CheckpointSettings(window=60, step=60, bin=1)
    source = open_checkpoint(folder, settings)
    assert source.card.task == "segmentation"
    assert source.card.output.names == ("none", "exon", "intron")
    sequence = bases(60, 3, (20, 21))
    codes = np.array([[CODES[letter] for letter in sequence]], dtype=np.uint8)
    ((_, tensor),) = tensors(source.card, codes)
    tokenizer, net = AutoTokenizer.from_pretrained(folder), kind.from_pretrained(folder).eval()
    words = tokenizer.convert_ids_to_tokens(tokenizer(text(sequence))["input_ids"])
    with torch.inference_mode():
        logits = net(input_ids=checkpoints.tokens(folder, text(sequence))).logits[0].numpy()
        found = source.network(torch.from_numpy(tensor))[0].numpy()
    assert found.shape == (60, 3)
    if make is checkpoints.dnabert:  # the middle base of each 3-mer
        expected = np.concatenate([logits[1:2], logits[1:-1], logits[-2:-1]])
    else:
        covered = [0 if word in tokenizer.all_special_tokens and word != "[UNK]" else len(word) for word in words]
        covered = [1 if word == "[UNK]" else length for word, length in zip(words, covered, strict=True)]
        expected = np.repeat(logits, covered, axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_scan_of_scores_of_tokens(tmp_path):
    folder = checkpoints.nucleotide_transformer(tmp_path / "checkpoint", head="token", num_labels=1)
    result = invoke("export", folder, "-o", tmp_path / "m.onnx", "--window", 120, "--step", 60, "--strand", "forward")
    assert result.exit_code == 0, result.stderr
    card = open_model(tmp_path / "m.onnx", "cpu").card
    assert (card.task, card.output.bin, card.output.activation) == ("segmentation", 6, "sigmoid")
    sequence = bases(240, 5)
    genome = write(tmp_path, f">c\n{sequence}\n".encode())
    scan_file(genome, tmp_path / "m.onnx", tmp_path / "out.bedgraph", format="bedgraph")
    net = EsmForTokenClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        logits = net(input_ids=checkpoints.tokens(folder, sequence[30:150])).logits[0, 1:, 0]
    expected = torch.sigmoid(logits).repeat_interleave(6)[30:90].numpy()
    scores = np.full(240, np.nan)
    for start, end, score in scores_of(tmp_path / "out.bedgraph", "c"):
        scores[start:end] = score
    np.testing.assert_allclose(scores[60:120], expected, atol=2e-4)
