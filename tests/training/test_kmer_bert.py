"""The k-mer BERT: where its attention starts, and that N behind a sequence changes nothing."""

import numpy as np
import pytest
import torch

from genoscan.scanner.encoding.kmers import kmer_tokens
from genoscan.training.nets.kmer_bert import FIRST_KMER, KmerClassifier, build_kmer_bert, kmer_input


def build(k=3, width=32, heads=2, layers=2):
    torch.manual_seed(1)
    return build_kmer_bert(k, width, layers, heads, 2 * width, 64, 0.1).eval()


def tokens(*sequences, k=3):
    size = max(map(len, sequences))
    codes = np.array([["ACGTN".index(letter) for letter in one.ljust(size, "N")] for one in sequences], dtype=np.uint8)
    return torch.from_numpy(kmer_tokens(codes, kmer_input(k)))


def test_tokens():
    assert tokens("AACNAAAC").tolist() == [[1, FIRST_KMER + 1, 0, 0, 0, FIRST_KMER, FIRST_KMER + 1]]


@pytest.mark.parametrize("k", [3, 6])
def test_products_of_tokens_count_common_bases(k):
    """Width 64, half of it for bases: 32 is the square of a token's length, 32 / k what each base in common adds."""
    weights = build(k, 64).bert.embeddings.word_embeddings.weight.detach()[FIRST_KMER:, :32]
    words = np.random.default_rng(1).integers(0, 4**k, (20, 2))
    for one, other in words.tolist():
        common = sum(one // 4**place % 4 == other // 4**place % 4 for place in range(k))
        assert weights[one] @ weights[other] == pytest.approx(32 / k * common, abs=1e-3)


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_starts_at_equal_k_mers(heads):
    """Of a unit that comes twice with other bases between, each k-mer looks at itself and at its copy above all."""
    net = build(6, 64, heads)
    net.set_attn_implementation("eager")
    unit, between = "ACGTTGCAATCC", "GGTCATTACGGA"
    with torch.inference_mode():
        attention = net.bert(tokens(unit + between + unit, k=6), output_attentions=True).attentions[0][0, 0]
    for place in range(len(unit) - 5):
        row = attention[1 + place]
        best = set(row.topk(2).indices.tolist())
        assert best == {1 + place, 1 + place + len(unit) + len(between)}
        assert row.topk(2).values.sum() > 0.5


def test_n_behind_a_sequence_changes_nothing():
    network = KmerClassifier(build()).eval()
    with torch.inference_mode():
        alone = network(tokens("ACGTTGCATTACG"))
        filled = network(tokens("ACGTTGCATTACG", "A" * 60))[:1]
    torch.testing.assert_close(alone, filled, atol=1e-5, rtol=1e-5)


def test_n_inside_is_not_the_end():
    network = KmerClassifier(build()).eval()
    with torch.inference_mode():
        one, other = network(tokens("ACGTTGCANNNACGTTGCA")), network(tokens("ACGTTGCA"))
    assert (one - other).abs().max() > 1e-4


def test_the_seed_decides():
    first, again = build().state_dict(), build().state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
