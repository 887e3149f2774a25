"""The lag spectrum against a slow reading of its recursion, and the properties that networks and scanner rely on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genoscan.scanner.encoding.nucleotides import reverse_complement
from genoscan.scanner.encoding.spectrum import BIN, encode_spectrum, feature_count, lag_bands

LAGS = (64, 128, 768)


NEAR = 48  # bands of each near scoring
TRACKS = 3 * BIN + 4 + 2


MATCHES = np.array([max(lag, 25 - lag) for lag in range(1, 65)])
STRICT_BIAS = 2 * (MATCHES - 5)


def above(scores: np.ndarray, bias, factor: int = 1) -> np.ndarray:
    return np.minimum(255, np.maximum(0, scores - bias) * factor)


def near_tracks(near: np.ndarray) -> list[int]:
    tolerant = above(near[0], np.maximum(12, np.round(0.7 * MATCHES).astype(int) - 8))
    moderate = above(near[1], np.round(1.2 * MATCHES).astype(int) - 6)
    return [int(scores.max()) for scores in (tolerant, moderate, above(near[2], STRICT_BIAS, 4))]


def long_tracks(long: np.ndarray) -> np.ndarray:
    lags = np.arange(65, 65 + len(long))
    return above(long, np.minimum(60, np.round(0.25 * lags)).astype(int))


def stepped(scores: np.ndarray, cost: int) -> np.ndarray:
    around = np.concatenate(([0], scores, [0]))
    return np.maximum(scores, np.maximum(around[:-2], around[2:]) - cost)


def reference_direction(codes: np.ndarray, lags: int) -> np.ndarray:
    """Bands and tracks (bins, features) looking left: the recursions in plain integers."""
    edges = lag_bands(lags)[:-1] - 1
    near, long = np.zeros((3, 64), dtype=int), np.zeros(lags - 64, dtype=int)
    far = np.arange(65, lags + 1) > 640
    gains, losses = np.array([[3], [4], [2]]), np.array([[2], [5], [6]])
    padded = np.concatenate((np.full(lags, 4), codes))
    rows = []
    for start in range(0, len(codes), BIN):
        highest, tracks, middle_tracks, far_tracks = np.zeros((3, 64), dtype=int), [], [], []
        for quarter in range(4):
            near[0] = stepped(near[0], 8)
            matches = np.zeros(lags, dtype=int)
            for i in range(start + 4 * quarter, start + 4 * quarter + 4):
                behind = padded[i : i + lags][::-1]
                match = (behind == codes[i]) & (codes[i] < 4)
                matches += match
                near[1], near[2] = stepped(near[1], 15), stepped(near[2], 8)
                near = np.clip(near + np.where(match[:64], gains, -losses), 0, 255)
                highest = np.maximum(highest, near)
                tracks += near_tracks(near)
            if lags > 64:
                moved = np.maximum(0, np.minimum(255, stepped_long(long, far) + 4 * matches[64:]) - 7)
                long = np.where(far & (quarter % 2 == 1), long, moved)
            middle_tracks.append(long_tracks(long)[~far].max(initial=0))
            if quarter % 2 == 0:
                far_tracks.append(long_tracks(long)[far].max(initial=0))
        excess = above(near[0], 8), above(highest[1], 14), above(highest[2], STRICT_BIAS, 4)
        pooled = [np.maximum.reduceat(scores, edges[:NEAR]) for scores in excess]
        if lags > 64:
            pooled.append(np.maximum.reduceat(above(long, 20), edges[NEAR:] - 64))
        rows.append(np.concatenate([*pooled, tracks, middle_tracks, far_tracks]))
    return np.array(rows)


def stepped_long(scores: np.ndarray, far: np.ndarray) -> np.ndarray:
    """No step leads from the middle lags to the far ones or back."""
    return np.concatenate([stepped(scores[group], 7) for group in (~far, far) if group.any()])


def reference(codes: np.ndarray, lags: int) -> np.ndarray:
    left, right = reference_direction(codes, lags), reference_direction(codes[::-1], lags)[::-1]
    bands = left.shape[1] - TRACKS
    indicators = 16 * (codes[:, None] == np.arange(4)).reshape(-1, 4 * BIN)
    features = [left[:, :bands], right[:, :bands], left[:, bands:], right[:, bands:], indicators]
    return np.concatenate(features, axis=1) * (indicators.sum(axis=1, keepdims=True) > 0)


def split(features: np.ndarray, lags: int):
    """Bands left, bands right (bins, bands), tracks left, tracks right (bins, TRACKS), indicators (bins, 64)."""
    bands = len(lag_bands(lags)) - 1 + 2 * NEAR
    return np.split(features, [bands, 2 * bands, 2 * bands + TRACKS, 2 * bands + 2 * TRACKS], axis=1)


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


@pytest.mark.parametrize("lags", [192, 704, 2048, 2112])
def test_agrees_with_the_recursion_at_other_lags(lags):
    codes = np.resize(np.random.default_rng(5).integers(0, 4, lags - 7).astype(np.uint8), 3 * lags // BIN * BIN)
    codes[codes.size // 2 :: 97] = 4
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
    # ACACACAC...: lag 2 matches from base 2 on, 30 times. Bands: tolerant 90 less 8, moderate 120 less 14, strict 60
    # less 2 * (23 - 5), four times. Tracks: tolerant less 12, moderate less 1.2 * 23 - 6, strict as its band.
    codes = np.array([0, 1] * 16, dtype=np.uint8)
    left, right, tracks, _, indicators = split(encode_spectrum(codes, 64), 64)
    assert left[1, 1] == right[0, 1] == 90 - 8
    assert left[1, NEAR + 1] == right[0, NEAR + 1] == 120 - 14
    assert left[1, 2 * NEAR + 1] == right[0, 2 * NEAR + 1] == 4 * (60 - 36)
    assert left[1, 2 * NEAR] == 4 * max(0, 58 - 8 - 6 - 38)  # lag 1 never matches: one step from lag 2 at a time
    last = tracks[1, : 3 * BIN].reshape(BIN, 3)[-1]
    assert last.tolist() == [78, 98, 96]
    assert indicators.tolist() == [[16, 0, 0, 0, 0, 16, 0, 0] * 8] * 2


def test_long_scores_by_hand():
    # A unit of 128 three times: after 128 bases every four of them gain 16 and cost 7, until 255 is full.
    codes = np.resize(np.random.default_rng(3).integers(0, 4, 128).astype(np.uint8), 384)
    left, _, tracks, _, _ = split(encode_spectrum(codes, 128), 128)
    band = 3 * NEAR + 15  # the last four of lags 65 to 128
    assert left[9, band] == 8 * 9 - 20
    assert left[-1, band] == 255 - 7 - 20
    assert tracks[9, 3 * BIN : 3 * BIN + 4].tolist() == [9 * n - 32 for n in (5, 6, 7, 8)]  # a quarter of the lag


@pytest.mark.parametrize("period", [1, 7, 32, 33, 34, 100, 250, 640, 641, 1500])
def test_a_perfect_repeat_lights_its_band(period):
    random = np.random.default_rng(period)
    codes = random.integers(0, 4, 16 * 512).astype(np.uint8)
    start, end = 512, 512 + 3 * period + 400
    codes[start:end] = np.resize(random.integers(0, 4, period), end - start)
    left, right, tracks, _, _ = split(encode_spectrum(codes, 2048), 2048)
    band = np.searchsorted(lag_bands(2048), period, side="right") - 1 + (2 * NEAR if period > 64 else 0)
    # Well inside, the repeat has matched long enough for the score to be at its largest.
    full = 250 if period > 640 else 130
    inside = slice((start + period + full) // BIN + 1, end // BIN)
    assert left[inside, band].min() > 180
    inside = slice(start // BIN + 1, (end - period - full) // BIN)
    assert right[inside, band].min() > 180
    # Before the repeat no lag has matched for long.
    assert tracks[: start // BIN, : 3 * BIN].max() < 60
    assert tracks[: start // BIN, 3 * BIN :].max() < 30


def test_one_inserted_base_does_not_end_a_repeat():
    unit = np.random.default_rng(2).integers(0, 4, 90).astype(np.uint8)
    longer = np.insert(unit, 45, (unit[45] + 2) % 4)
    codes = np.resize(np.concatenate([unit, unit, longer]), 272)
    _, _, tracks, _, _ = split(encode_spectrum(codes, 128), 128)
    # At the insertion (base 180 + 45) scores pay 7 for the step to lag 91 and a few mismatches until it is taken.
    assert tracks[14:, 3 * BIN : 3 * BIN + 4].min() > 120


def test_unknown_bases_match_nothing():
    assert not encode_spectrum(np.full(256, 4, dtype=np.uint8), 64).any()
    codes = np.zeros(512, dtype=np.uint8)
    codes[128:384] = 4
    features = encode_spectrum(codes, 128)
    assert not features[8:24].any()
    codes[128:136] = 0
    codes[136:] = 4  # half a bin: what is known counts, and scores fall in what is not
    _, _, tracks, _, indicators = split(encode_spectrum(codes, 128), 128)
    assert indicators[8].tolist() == [16, 0, 0, 0] * 8 + [0, 0, 0, 0] * 8
    tolerant = tracks[8, : 3 * BIN : 3]
    assert tolerant.tolist() == [255 - 12] * 8 + [255 - 12 - 2 * n for n in range(1, 9)]


@settings(deadline=None, max_examples=20)
@given(codes=sequences())
def test_every_unknown_code_is_the_same(codes):
    other = np.where(codes == 4, np.uint8(5), codes)
    np.testing.assert_array_equal(encode_spectrum(other, 128), encode_spectrum(codes, 128))


@pytest.mark.parametrize("lags", LAGS)
@settings(deadline=None, max_examples=20)
@given(codes=sequences(64))
def test_reversed_sequence_has_mirrored_features(codes, lags):
    left, right, left_tracks, right_tracks, indicators = split(encode_spectrum(codes, lags), lags)
    mirrored = split(encode_spectrum(codes[::-1], lags), lags)
    for got, expected in zip(mirrored, (right, left, right_tracks, left_tracks), strict=False):
        np.testing.assert_array_equal(got, expected[::-1])
    mirror = indicators.reshape(-1, 4)[::-1].reshape(-1, 4 * BIN)
    np.testing.assert_array_equal(mirrored[4], mirror)


@settings(deadline=None, max_examples=20)
@given(codes=sequences(64))
def test_opposite_strand_has_mirrored_features_with_complementary_bases(codes):
    left, right, left_tracks, right_tracks, indicators = split(encode_spectrum(codes, 128), 128)
    other = split(encode_spectrum(reverse_complement(codes), 128), 128)
    for got, expected in zip(other, (right, left, right_tracks, left_tracks), strict=False):
        np.testing.assert_array_equal(got, expected[::-1])
    np.testing.assert_array_equal(other[4], indicators.reshape(-1)[::-1].reshape(-1, 4 * BIN))


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
