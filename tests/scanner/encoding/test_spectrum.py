"""The lag spectrum against a slow reading of its recursion, and the properties that networks and scanner rely on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genoscan.scanner.encoding.nucleotides import reverse_complement
from genoscan.scanner.encoding.spectrum import BIN, encode_spectrum, feature_count, lag_bands

LAGS = (64, 128, 640)


def reference_direction(codes: np.ndarray, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Band rows (bins, bands) and tracks (bases, 4), looking left: the recursion in plain integers."""
    edges = lag_bands(lags)[:-1] - 1
    tolerant, strict = np.zeros(lags, dtype=int), np.zeros(lags, dtype=int)
    rows, tracks = [], []
    for i, base in enumerate(codes):
        if i % 4 == 0:
            around = np.concatenate(([0], tolerant, [0]))
            tolerant = np.maximum(tolerant, np.maximum(around[:-2], around[2:]) - 8)
        behind = np.full(lags, 4)
        before = codes[max(0, i - lags) : i][::-1]
        behind[: len(before)] = before
        match = (behind == base) & (base < 4)
        tolerant = np.clip(tolerant + np.where(match, 3, -2), 0, 255)
        strict = np.clip(strict + np.where(match, 2, -6), 0, 255)
        longer = tolerant[64:].max(initial=0), strict[64:].max(initial=0)
        tracks.append((tolerant[:64].max(), strict[:64].max(), *longer))
        if i % BIN == BIN - 1:
            rows.append(np.maximum.reduceat(tolerant, edges))
    return np.array(rows), np.array(tracks)


def reference(codes: np.ndarray, lags: int) -> np.ndarray:
    left, left_tracks = reference_direction(codes, lags)
    right, right_tracks = reference_direction(codes[::-1], lags)
    tracks = np.concatenate([left_tracks, right_tracks[::-1]], axis=1).reshape(-1, BIN * 8)
    bases = (codes[:, None] == np.arange(4)).reshape(-1, BIN * 4)
    return np.concatenate([left, right[::-1], tracks, bases], axis=1)


def split(features: np.ndarray, lags: int):
    """Bands left, bands right (bins, bands), tracks (bases, 8), indicators (bases, 4)."""
    bands = len(lag_bands(lags)) - 1
    at = [bands, 2 * bands, 2 * bands + BIN * 8]
    left, right, tracks, bases = np.split(features, at, axis=1)
    return left, right, tracks.reshape(-1, 8), bases.reshape(-1, 4)


@st.composite
def sequences(draw, largest_bins: int = 24):
    """Random bases with a planted repeat, mutations and N; lengths are multiples of 16."""
    bases = BIN * draw(st.integers(1, largest_bins))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = random.integers(0, 4, bases).astype(np.uint8)
    start, end = np.sort(random.integers(0, bases + 1, 2))
    codes[start:end] = np.resize(random.integers(0, 4, draw(st.integers(1, 150))), end - start)
    changed = random.random(bases) < draw(st.sampled_from([0, 0.1, 0.3]))
    codes[changed] = random.integers(0, 4, changed.sum())
    codes[random.random(bases) < draw(st.sampled_from([0, 0.02, 1]))] = 4
    return codes


@pytest.mark.parametrize("lags", LAGS)
@settings(deadline=None, max_examples=15)
@given(codes=sequences())
@example(codes=np.zeros(160, dtype=np.uint8))  # every score saturates
@example(codes=np.full(32, 4, dtype=np.uint8))
def test_agrees_with_the_recursion(codes, lags):
    features = encode_spectrum(codes, lags)
    assert features.dtype == np.uint8
    assert features.shape == (len(codes) // BIN, feature_count(lags))
    np.testing.assert_array_equal(features, reference(codes, lags))


@pytest.mark.parametrize("lags", [192, 2112])
def test_agrees_with_the_recursion_where_the_last_band_is_cut_off(lags):
    codes = np.resize(np.random.default_rng(5).integers(0, 4, lags - 7).astype(np.uint8), 3 * lags // BIN * BIN)
    np.testing.assert_array_equal(encode_spectrum(codes, lags), reference(codes, lags))


@pytest.mark.parametrize(
    ("lags", "last"), [(64, [(61, 63), (63, 65)]), (128, [(121, 125), (125, 129)]), (640, [(577, 609), (609, 641)])]
)
def test_band_edges(lags, last):
    edges = lag_bands(lags)
    assert edges[:33].tolist() == list(range(1, 34))
    assert list(pairwise(edges.tolist()))[-2:] == last
    widths = np.diff(edges)
    assert widths.sum() == lags
    assert set(np.diff(widths)) <= {0, 1, 2, 4, 8, 16}
    long = edges[:-1] > 32
    assert (widths[long] <= edges[:-1][long] / 16).all()


def test_a_few_scores_by_hand():
    # ACACACAC...: lag 2 matches from base 2 on, 3 a base tolerant and 2 a base strict; lag 1 never matches.
    codes = np.array([0, 1] * 8, dtype=np.uint8)
    left, right, tracks, bases = split(encode_spectrum(codes, 64), 64)
    assert left[0, 1] == right[0, 1] == 14 * 3
    assert tracks[:, 0].tolist() == [0, 0, *(3 * n for n in range(1, 15))]
    assert tracks[:, 1].tolist() == [0, 0, *(2 * n for n in range(1, 15))]
    assert tracks[:, 4].tolist() == tracks[::-1, 0].tolist()
    assert not tracks[:, [2, 3, 6, 7]].any()
    assert bases[:2].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]


@pytest.mark.parametrize("period", [1, 7, 32, 33, 34, 100, 250, 640])
def test_a_perfect_repeat_lights_its_band(period):
    random = np.random.default_rng(period)
    codes = random.integers(0, 4, 4096).astype(np.uint8)
    start, end = 512, 512 + 3 * period + 400
    codes[start:end] = np.resize(random.integers(0, 4, period), end - start)
    left, right, tracks, _ = split(encode_spectrum(codes, 640), 640)
    band = np.searchsorted(lag_bands(640), period, side="right") - 1
    # Well inside, the repeat has matched for at least 86 bases: the score is at its largest.
    inside = slice((start + period + 100) // BIN + 1, end // BIN)
    assert (left[inside, band] == 255).all()
    inside = slice(start // BIN + 1, (end - period - 100) // BIN)
    assert (right[inside, band] == 255).all()
    track = 0 if period <= 64 else 2
    assert (tracks[start + period + 90 : end, track] == 255).all()
    assert (tracks[start : end - period - 90, 4 + track] == 255).all()
    # Before the repeat no lag has matched for long.
    assert tracks[:start, :4].max() < 60


def test_one_inserted_base_does_not_end_a_repeat():
    unit = np.random.default_rng(2).integers(0, 4, 90).astype(np.uint8)
    longer = np.insert(unit, 45, (unit[45] + 2) % 4)
    codes = np.resize(np.concatenate([unit, unit, longer]), 272)
    _, _, tracks, _ = split(encode_spectrum(codes, 128), 128)
    # At the insertion (base 180 + 45) scores pay 8 for the step to lag 91 and a few mismatches until it is taken.
    assert tracks[225:271, 2].min() > 200


def test_unknown_bases_match_nothing():
    assert not encode_spectrum(np.full(256, 4, dtype=np.uint8), 64).any()
    codes = np.zeros(512, dtype=np.uint8)
    codes[128:384] = 4
    _, _, tracks, bases = split(encode_spectrum(codes, 64), 64)
    assert not tracks[256:384, :4].any()  # 255 falls by 2 a base: nothing is left after 128 bases
    assert not tracks[128:256, 4:].any()
    assert not bases[128:384].any()


@settings(deadline=None, max_examples=20)
@given(codes=sequences())
def test_every_unknown_code_is_the_same(codes):
    other = np.where(codes == 4, np.uint8(5), codes)
    np.testing.assert_array_equal(encode_spectrum(other, 128), encode_spectrum(codes, 128))


@pytest.mark.parametrize("lags", LAGS)
@settings(deadline=None, max_examples=20)
@given(codes=sequences(64))
def test_reversed_sequence_has_mirrored_features(codes, lags):
    left, right, tracks, bases = split(encode_spectrum(codes, lags), lags)
    mirrored = split(encode_spectrum(codes[::-1], lags), lags)
    np.testing.assert_array_equal(mirrored[0], right[::-1])
    np.testing.assert_array_equal(mirrored[1], left[::-1])
    np.testing.assert_array_equal(mirrored[2], tracks[::-1][:, [4, 5, 6, 7, 0, 1, 2, 3]])
    np.testing.assert_array_equal(mirrored[3], bases[::-1])


@settings(deadline=None, max_examples=20)
@given(codes=sequences(64))
def test_opposite_strand_has_mirrored_features_with_complementary_bases(codes):
    left, right, tracks, bases = split(encode_spectrum(codes, 128), 128)
    other = split(encode_spectrum(reverse_complement(codes), 128), 128)
    np.testing.assert_array_equal(other[0], right[::-1])
    np.testing.assert_array_equal(other[1], left[::-1])
    np.testing.assert_array_equal(other[2], tracks[::-1][:, [4, 5, 6, 7, 0, 1, 2, 3]])
    np.testing.assert_array_equal(other[3], bases[::-1, ::-1])


@pytest.mark.parametrize("lags", LAGS)
@settings(deadline=None, max_examples=20)
@given(codes=sequences(64), before=st.integers(0, 30), after=st.integers(0, 30))
def test_unknown_bases_around_a_sequence_change_nothing_in_it(codes, before, after, lags):
    """A contig alone and in the middle of a longer window of N: `ModelCard.shortest_window` relies on it."""
    padded = np.pad(codes, (BIN * before, BIN * after), constant_values=4)
    inside = slice(before, before + len(codes) // BIN)
    np.testing.assert_array_equal(encode_spectrum(padded, lags)[inside], encode_spectrum(codes, lags))


def test_fills_the_array_it_is_given():
    codes = np.resize(np.array([0, 1, 2], dtype=np.uint8), 64)
    expected = encode_spectrum(codes, 64)
    batch = np.full((3, *expected.shape), 99, dtype=np.uint8)
    assert np.shares_memory(encode_spectrum(codes, 64, batch[1]), batch)
    np.testing.assert_array_equal(batch[1], expected)
    assert (batch[[0, 2]] == 99).all()


def test_a_strided_sequence_is_read_as_it_stands():
    codes = np.random.default_rng(8).integers(0, 4, 256).astype(np.uint8)
    np.testing.assert_array_equal(encode_spectrum(codes[::2], 64), encode_spectrum(codes[::2].copy(), 64))


@pytest.mark.parametrize(("bases", "lags"), [(40, 64), (64, 96), (64, 0)])
def test_sizes_that_do_not_fit_are_refused(bases, lags):
    with pytest.raises(ValueError, match="multiples of 16 and 64"):
        encode_spectrum(np.zeros(bases, dtype=np.uint8), lags)
