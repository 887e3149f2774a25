"""The toy models: valid ONNX, cards that can be read, and the answers that other tests rely on."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import toys

from genoscan.scanner.card import CARD_KEY, parse_card
from genoscan.scanner.encoding.encoder import encoder

MODELS = {
    "gc": lambda: toys.gc_model(16, 8),
    "base": lambda: toys.base_model("A", 8, 4),
    "base-bins": lambda: toys.base_model("C", 16, 8, bin=4, shortest_window=16),
    "motif": lambda: toys.motif_model("GATTC", 16),
    "motif-window": lambda: toys.motif_model("GATTC", 16, task="classification"),
    "bert": lambda: toys.kmer_bert(k=3, window=32),
    "bert-side-by-side": lambda: toys.kmer_bert(k=6, window=60, stride=6, layers=1),
}
CODES = {letter: code for code, letter in enumerate("ACGTN")}


def codes_of(*rows: str) -> np.ndarray:
    return np.array([[CODES[letter] for letter in row] for row in rows], dtype=np.uint8)


def predict(model: bytes, codes: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    encode = encoder(parse_card(session.get_modelmeta().custom_metadata_map[CARD_KEY], "toy"))
    tensor = np.zeros((len(codes), *encode.window_shape(codes.shape[1])), dtype=encode.dtype)
    encode.encode(codes, tensor)
    return session.run(None, {encode.names[0]: tensor})[0]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_models_are_valid_and_agree_with_their_cards(make, tmp_path):
    path = toys.write(tmp_path / "toy.onnx", make())
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.opset_import[0].version) == (10, 18)
    card = parse_card({one.key: one.value for one in model.metadata_props}[CARD_KEY], "toy")
    for rows in (1, 3):
        logits = predict(path.read_bytes(), np.full((rows, card.window), 4, dtype=np.uint8))
        places = (card.window // card.output.bin,) if card.task == "segmentation" else ()
        assert logits.shape == (rows, *places, len(card.output.names))
        assert logits.dtype == np.float32


def test_gc_counts_the_whole_window():
    logits = predict(toys.gc_model(8, 4), codes_of("ACGTACGG", "NNNNNNNC", "ATATATAT", "GCGCGCGC"))
    np.testing.assert_array_equal(logits, [[5 / 8], [1 / 8], [0], [1]])


def test_base_marks_its_letter():
    logits = predict(toys.base_model("T", 4, 2), codes_of("ATTNCGTA"))
    np.testing.assert_array_equal(logits[0, :, 0], [0, 1, 1, 0, 0, 0, 1, 0])


def test_base_takes_the_mean_of_a_bin_in_windows_of_any_length():
    model = toys.base_model("G", 8, 4, bin=4, shortest_window=8)
    assert predict(model, codes_of("GGGAACGTGGGGNNNN"))[0, :, 0].tolist() == [0.75, 0.25, 1, 0]
    assert predict(model, codes_of("GGGAACGT"))[0, :, 0].tolist() == [0.75, 0.25]


def test_motif_is_marked_where_it_starts():
    logits = predict(toys.motif_model("GAT", 8), codes_of("GATGATNGAGAT"))
    assert np.flatnonzero(logits[0, :, 0]).tolist() == [0, 3, 9]
    assert logits.max() == 1


def test_motif_cut_off_by_the_window_is_not_found():
    assert not predict(toys.motif_model("GAT", 4), codes_of("AAAAAAGA")).any()


def test_motif_of_a_window_must_start_in_the_step():
    model = toys.motif_model("GAT", 4, task="classification")
    # Windows of 2 + 4 + 2 bases: a start at 2 or 5 lies in the step, at 1 or 6 it does not.
    rows = codes_of("AAGATAAA", "AAAAAGAT", "AGATAAAA", "AAAAAAGA", "AAAAAAAA")
    assert predict(model, rows)[:, 0].tolist() == [1, 1, 0, 0, 0]


def test_motif_needs_its_context():
    with pytest.raises(ValueError, match="too short"):
        toys.motif_model("GATTC", 16, context=3)


def test_bert_reads_every_token_and_rows_do_not_mix():
    model = toys.kmer_bert(k=3, window=32)
    codes = np.random.default_rng(3).integers(0, 4, (4, 32)).astype(np.uint8)
    codes[1] = codes[0]
    codes[1, -1] = (codes[0, -1] + 1) % 4
    together = predict(model, codes)
    alone = np.concatenate([predict(model, row[None]) for row in codes])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-4
    assert np.ptp(together[:, 0]) > 0.05


def test_bert_is_the_same_for_the_same_seed():
    assert toys.kmer_bert(seed=1) == toys.kmer_bert(seed=1)
    assert toys.kmer_bert(seed=1) != toys.kmer_bert(seed=2)
