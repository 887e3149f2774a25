"""What a window classifier is shown: labels of middles by hand, and tokens as the scanner makes them."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.encoding.encoder import encoder
from genoscan.training.classifier_recipe import ClassifierRecipe, classifier_card
from genoscan.training.data.window_dataset import Window
from genoscan.training.data.window_examples import Examples, alone, collate, in_genome, tokens_of, window_example
from genoscan.training.nets.kmer_bert import UNKNOWN
from genoscan.training.recipe import load_recipe

CARD = classifier_card(load_recipe("repeats-kmer-bert", ClassifierRecipe))
SIZE, STEP, CONTEXT = CARD.window, CARD.step, CARD.context


def window(length, label, left=300, right=300, marked=()):
    """A sequence whose flanks say by their bases where they are: A on the left, T on the right, C within."""
    repeats = np.zeros(left, dtype=bool), np.zeros(right, dtype=bool)
    for start, end in marked:
        repeats[1][start:end] = True
    parts = [np.full(size, code, dtype=np.uint8) for size, code in ((left, 0), (length, 1), (right, 3))]
    return Window(parts[1], label, "c", left, left + length, 0, parts[0], parts[2], *repeats)


def drawn(one, times=300):
    generator = np.random.default_rng(1)
    found = [window_example(generator, one, CARD) for _ in range(times)]
    return [example for example in found if example is not None]


@given(st.integers(26, 400))
def test_a_repeat_s_window_is_labelled_by_its_middle(length):
    for codes, label in drawn(window(length, 1), 20):
        assert len(codes) == SIZE
        middle = codes[CONTEXT : CONTEXT + STEP]
        inside = np.count_nonzero(middle == 1)
        assert inside >= STEP / 2 if label else inside == 0


def test_both_labels_come_from_a_repeat():
    labels = [label for _, label in drawn(window(60, 1))]
    assert 0.1 < np.mean(labels) < 0.9


def test_a_negative_s_window_lies_about_it():
    for codes, label in drawn(window(60, 0)):
        assert label == 0
        assert np.count_nonzero(codes[CONTEXT - 1 : CONTEXT + STEP + 1] == 1) > STEP / 4


def test_a_middle_in_another_known_repeat_is_not_labelled():
    marked = [(20, 300)]
    for codes, label in drawn(window(60, 1, marked=marked)):
        right = np.flatnonzero(codes == 3)
        if len(right) and label == 0:  # the 16 bases beside the middle are free of it, too
            assert right[0] + 20 >= CONTEXT + STEP


def test_without_flanks_there_is_no_window():
    assert drawn(window(60, 1, left=0, right=10)) == []
    assert in_genome(np.random.default_rng(1), [window(60, 1, left=0, right=10)], CARD) == []


def test_share_of_windows():
    rows = [window(60, 1)] * 400
    assert in_genome(np.random.default_rng(1), rows, CARD, 0.0) == []
    assert 120 < len(in_genome(np.random.default_rng(1), rows, CARD, 0.5)) < 280


def test_a_sequence_by_itself_has_the_tokens_of_a_short_contig():
    codes = np.random.default_rng(1).integers(0, 4, 40).astype(np.uint8)
    contig = np.full((1, SIZE), 4, dtype=np.uint8)
    contig[0, :40] = codes
    encode = encoder(CARD)
    expected = np.zeros((1, *encode.window_shape(SIZE)), dtype=np.int64)
    encode.encode(contig, expected)
    ((tokens, label),) = Examples(alone([window(40, 1)._replace(codes=codes)]), CARD.input, training=False)
    assert label == 1
    assert np.array_equal(expected[0, : len(tokens)], tokens)
    assert (expected[0, len(tokens) :] == UNKNOWN).all()


def test_a_batch_is_filled_up_and_masked():
    short, long = (np.zeros(size, dtype=np.uint8) for size in (30, 50))
    rows = list(Examples([(short, 0), (long, 1)], CARD.input, training=False))
    batch = collate(UNKNOWN, rows)
    assert batch["labels"].tolist() == [0, 1]
    assert batch["inputs"].shape == (2, len(rows[1][0]))
    assert batch["mask"].sum(dim=1).tolist() == [1 + 25, 1 + 45]
    assert torch.equal(batch["inputs"], torch.from_numpy(tokens_of([short, long], CARD.input)))


def test_training_shows_both_strands_and_an_epoch_again_as_it_was():
    codes = np.array([0, 0, 1, 2, 3, 0, 1, 1], dtype=np.uint8)
    shown = Examples([(codes, 1)], CARD.input, training=True, seed=1)
    epochs = []
    for epoch in (*range(30), *range(30)):
        shown.epoch = epoch
        epochs.append(tuple(shown[0][0].tolist()))
    assert len(set(epochs)) == 2
    assert epochs[:30] == epochs[30:]
    still = Examples([(codes, 1)], CARD.input, training=False)
    assert still[0][0].tolist() in [list(one) for one in set(epochs)]
    assert still.lengths.tolist() == [8]


def test_what_is_drawn_is_that_of_the_epoch():
    codes = [np.full(size, 1, dtype=np.uint8) for size in (9, 12, 15)]
    shown = Examples([(codes[0], 1)], CARD.input, training=False, drawn=lambda epoch: [(codes[1 + epoch], 0)])
    assert (len(shown), shown.lengths.tolist()) == (2, [9, 12])
    shown.epoch = 1
    assert (len(shown), shown.lengths.tolist()) == (2, [9, 15])
    shown.epoch = 0
    assert shown.lengths.tolist() == [9, 12]
