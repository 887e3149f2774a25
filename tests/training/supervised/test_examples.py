"""Batches: the scanner's tokens, masks, lengths side by side, and augmentation that is a function of the epoch."""

import checkpoints
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import KMER_BERT, sequences, write_recipe

from genoscan.scanner.encoding.nucleotides import reverse_complement
from genoscan.scanner.errors import GenoscanError
from genoscan.training.data.store import Row, open_sequences, write_rows
from genoscan.training.supervised.card import sequence_card
from genoscan.training.supervised.examples import Encoding, Examples, LengthBuckets, shifted
from genoscan.training.supervised.networks import build_network
from genoscan.training.supervised.recipe import Data, load_sequence_recipe


def coded(text):
    return np.array(["ACGTN".index(letter) for letter in text], dtype=np.uint8)


def encoding_of(tmp_path, checkpoint=None, net=None):
    recipe = write_recipe(tmp_path / "r.toml", net=net)
    changes = ["net.kind=transformers", f"net.checkpoint={checkpoint}"] if checkpoint else []
    recipe = load_sequence_recipe(recipe, changes)
    network = build_network(recipe.net, ("a",), regression=True)
    return Encoding(sequence_card(recipe, network.spec), network.tokens, network.pad, network.longest)


@pytest.mark.parametrize("family", ["dnabert", "nucleotide_transformer", "grover", "dnabert2"])
def test_tokens_are_those_of_the_checkpoints_tokenizer(tmp_path, family):
    folder = getattr(checkpoints, family)(tmp_path / "checkpoint")
    encoding = encoding_of(tmp_path, folder)
    texts = ["ACGTTGCAAC" * 3, "TTGACA" * 4 + "C", "GATTACA" * 5]
    tokens, mask = encoding([coded(text) for text in texts])
    for row, text in enumerate(texts):
        text = checkpoints.kmer_words(text, 3) if family == "dnabert" else text
        expected = checkpoints.tokens(folder, text)[0]
        assert mask[row].tolist() == [1] * len(expected) + [0] * (tokens.shape[1] - len(expected))
        assert tokens[row][mask[row] == 1].tolist() == expected.tolist()
    assert mask.sum(dim=1).max() == tokens.shape[1]  # nothing is filled up beyond the longest


def test_one_hot_rows_are_filled_up_with_nothing(tmp_path):
    inputs, mask = encoding_of(tmp_path)([coded("ACG"), coded("TTTTT")])
    assert mask is None
    assert inputs.shape == (2, 4, 5)
    assert inputs[0].sum(dim=0).tolist() == [1, 1, 1, 0, 0]
    assert inputs[0, :, 1].tolist() == [0, 1, 0, 0]


def test_more_tokens_than_the_network_reads(tmp_path):
    with pytest.raises(GenoscanError, match="70 bases make 70 tokens, and the network reads at most 64"):
        encoding_of(tmp_path, net=KMER_BERT)([coded("ACGTA" * 14)])


@given(st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 16), st.integers(0, 5))
@settings(max_examples=40)
def test_buckets_hold_every_row_once(lengths, batch, epoch):
    sampler = LengthBuckets(np.array(lengths), batch, seed=1)
    sampler.epoch = epoch
    batches = list(sampler)
    assert sorted(row for one in batches for row in one) == list(range(len(lengths)))
    assert len(batches) == len(sampler)
    assert max(map(len, batches)) <= batch
    assert list(sampler) == batches


def test_buckets_save_most_of_the_filling_and_change_with_the_epoch():
    lengths = np.random.default_rng(0).integers(50, 1000, 2000)
    sampler = LengthBuckets(lengths, 16, seed=1)
    first = list(sampler)
    read = sum(lengths[one].max() * len(one) for one in first)
    assert read < 1.05 * lengths.sum()  # in order of the table it is 1.8 times
    sampler.epoch = 1
    assert list(sampler) != first


def examples(tmp_path, data, training=True, margin=0):
    texts = sequences(40, 30 + 2 * margin)
    write_rows(tmp_path, [Row(coded(text), np.array([1.0]), 0, 1) for text in texts])
    return Examples(open_sequences(tmp_path, 1), np.arange(40), data, seed=1, training=training), list(
        map(coded, texts)
    )


def test_both_strands_are_shown_and_an_epoch_can_be_shown_again(tmp_path):
    shown, codes = examples(tmp_path, Data(reverse_complement=True))
    epochs = []
    for epoch in (0, 1, 0):
        shown.epoch = epoch
        turned = [not np.array_equal(shown[i][0], codes[i]) for i in range(40)]
        assert all(np.array_equal(shown[i][0], reverse_complement(codes[i])) for i in range(40) if turned[i])
        assert 8 < sum(turned) < 32
        epochs.append(turned)
    assert epochs[0] == epochs[2] != epochs[1]


def test_shifts_show_what_lies_beside_the_window(tmp_path):
    shown, codes = examples(tmp_path, Data(window=30, shift=5), margin=5)
    assert set(shown.lengths.tolist()) == {30}
    starts = [next(at for at in range(11) if np.array_equal(shown[i][0], codes[i][at : at + 30])) for i in range(40)]
    assert min(starts) == 0
    assert max(starts) == 10
    still, _ = examples(tmp_path, Data(window=30, shift=5), training=False, margin=5)
    assert all(np.array_equal(still[i][0], codes[i][5:35]) for i in range(40))


def test_shifts_of_whole_sequences_bring_in_n():
    assert shifted(coded("ACGT"), 1, 0).tolist() == coded("CGTN").tolist()
    assert shifted(coded("ACGT"), -2, 0).tolist() == coded("NNAC").tolist()
    assert shifted(coded("ACGT"), 9, 0).tolist() == coded("NNNN").tolist()


def test_a_batch_has_labels(tmp_path):
    shown, _ = examples(tmp_path / "rows", Data())
    batch = encoding_of(tmp_path).collate([shown[0], shown[1]])
    assert set(batch) == {"inputs", "labels"}
    assert batch["labels"].dtype == torch.float32
    assert batch["labels"].shape == (2, 1)
