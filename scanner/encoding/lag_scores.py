"""Running match scores of a sequence against itself at every lag, moved on by four bases at a time.

All arithmetic is on saturating unsigned bytes, 64 lags to a vector, so that the result is exact and the same on
every machine and the cost is the same for every base. Vector instructions are reached through LLVM intrinsics, which
LLVM lowers to whatever the processor has (AVX-512, AVX2, NEON).

What is scored, and why, is told in `spectrum`; the recursions stand in docs/spectrum.md.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 64
"""Lags in a vector; also the near lags."""
MIDDLE_LAGS = 640
"""Lags from here on are far."""
QUARTER = 4
"""Bases that `advance` moves on by."""

TOLERANT = (3, 2)
MODERATE = (4, 5)
STRICT = (2, 6)
"""Gain of a match and loss of a mismatch, near lags."""
TOLERANT_STEP, MODERATE_STEP, STRICT_STEP = 8, 15, 8
"""What a step to the neighbouring lag costs: possible once in a quarter, for moderate and strict scores at each base,
because so few bases cannot afford to wait."""
LONG_GAIN, LONG_LOSS, LONG_STEP = 4, 7, 7
"""Middle and far lags: gain of a match, what each quarter costs, what a step costs."""

SHORTEST = 25
"""Bases of the shortest array that the tracks are to show: what TRF's usual threshold asks for."""

# Where the near scores lie in their array; tolerant ones have 64 zeros on either side.
TOLERANT_AT, MODERATE_AT, STRICT_AT, MODERATE_BEST_AT, STRICT_BEST_AT, NEAR_SIZE = 64, 192, 256, 320, 384, 448
NEAR_BANDS = 48
"""Bands of the near lags: 32 of one lag, 16 of two."""
NEAR_TRACKS = 3
TRACKS = 16 * NEAR_TRACKS + 4 + 2
"""Track values of a bin of 16 bases: three a base, then one a quarter (middle lags), then one every other (far)."""

_MIDDLE_VECTORS = MIDDLE_LAGS // LANES - 1
_VECTOR = ir.VectorType(ir.IntType(8), LANES)
_INDEX = ir.IntType(64)


def long_size(vectors: int) -> int:
    """Bytes of the long lags' scores: two states that take turns."""
    return 2 * _state_size(vectors)


def _state_size(vectors: int) -> int:
    """Bytes of one state: the middle lags' scores and the far ones', with 64 zeros before, between and behind."""
    return (vectors + 3) * LANES


def _place(number: int) -> int:
    """Where in a state the scores of long vector ``number`` lie."""
    return LANES * (number + 1 + (number >= _MIDDLE_VECTORS))


def near_track_bias() -> np.ndarray:
    """What is taken off near scores before tracks look for the best of them: int64 (3, 64), by scoring and lag.

    Two whole copies, or the shortest array, need more matches at a longer lag. Less about half of what they gain in
    a scoring at the divergence that it is for, the scores of all lags can be compared.
    """
    lags = np.arange(1, LANES + 1)
    matches = np.maximum(lags, SHORTEST - lags)
    tolerant = np.maximum(12, np.round(0.7 * matches).astype(np.int64) - 8)
    moderate = np.round(1.2 * matches).astype(np.int64) - 6
    return np.stack([tolerant, moderate, 2 * (matches - 5)])


def long_track_bias(lags: np.ndarray) -> np.ndarray:
    """The same for middle and far lags, where 60 is all that needs to be taken off."""
    return np.minimum(60, np.round(0.25 * lags)).astype(np.int64)


TOLERANT_NOISE, MODERATE_NOISE, LONG_NOISE = 8, 14, 20
"""What is taken off scores before they are written as bands: unrelated sequence seldom has more, so that nearly all
bands are 0 in it and a network can add up lags without adding up noise. Strict scores: as in the tracks."""

STRICT_DOUBLINGS = 2
"""How often what is left of strict scores is doubled: one match says much where none may fail."""


def _constant(values: int | np.ndarray) -> ir.Constant:
    return ir.Constant(_VECTOR, [int(value) for value in np.broadcast_to(values, LANES)])


class _Vectors:
    """Vector instructions at a builder's place."""

    def __init__(self, builder):
        self.builder = builder

    def _call(self, name, result, *values):
        kind = ir.FunctionType(result, [value.type for value in values])
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.v{LANES}i8"), values
        )

    def add(self, first, second):
        return self._call("uadd.sat", _VECTOR, first, second)

    def subtract(self, first, second):
        return self._call("usub.sat", _VECTOR, first, second)

    def largest(self, first, second):
        return self._call("umax", _VECTOR, first, second)

    def reduce(self, value):
        """The highest byte of a vector."""
        return self._call("vector.reduce.umax", ir.IntType(8), value)

    def reduce_many(self, values):
        """The highest byte of each of up to 16 vectors, as a vector of 16 bytes: all of them at once are far cheaper
        than one after the other. Pairs of vectors are folded into one, then pairs of those, and so on."""
        values = [*values, *[_constant(0)] * (16 - len(values))]
        group = LANES
        while len(values) > 1:
            group //= 2
            values = [self._folded(*values[i : i + 2], group) for i in range(0, len(values), 2)]
        (value,) = values
        while group > 1:
            group //= 2
            value = self._folded(value, value, group)
        return self.shuffled(value, value, range(16))

    def _folded(self, first, second, group):
        """Each ``2 * group`` lanes become the maxima of their halves; those of ``first`` before those of ``second``."""
        lanes = np.arange(2 * LANES).reshape(-1, 2, group)
        return self.largest(*(self.shuffled(first, second, lanes[:, half].ravel()) for half in range(2)))

    def shuffled(self, first, second, lanes):
        """Lanes of two vectors, counted through both."""
        kind = ir.VectorType(ir.IntType(32), len(lanes))
        return self.builder.shuffle_vector(first, second, ir.Constant(kind, [int(lane) for lane in lanes]))

    def table(self, values):
        """A pointer to constant bytes, whole vectors of them."""
        kind = ir.ArrayType(ir.IntType(8), len(values))
        constant = ir.Constant(kind, bytearray(int(value) for value in values))
        place = cgutils.global_constant(self.builder.module, "bytes", constant)
        return self.builder.bitcast(place, ir.IntType(8).as_pointer())

    def _address(self, pointer, position):
        position = _INDEX(position) if isinstance(position, int) else position
        return self.builder.bitcast(self.builder.gep(pointer, [position]), _VECTOR.as_pointer())

    def load(self, pointer, position):
        return self.builder.load(self._address(pointer, position), align=1)

    def store(self, value, pointer, position):
        self.builder.store(value, self._address(pointer, position), align=1)

    def put(self, pointer, start):
        """A function that stores a value some bytes behind ``start``."""

        def store(offset, value):
            place = self.builder.gep(pointer, [self.builder.add(start, _INDEX(offset))])
            self.builder.store(value, self.builder.bitcast(place, value.type.as_pointer()), align=1)

        return store

    def splat(self, pointer, position):
        """A vector full of the byte at ``position``."""
        byte = self.builder.load(self.builder.gep(pointer, [position]))
        empty = ir.Constant(_VECTOR, ir.Undefined)
        first = self.builder.insert_element(empty, byte, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.builder.shuffle_vector(first, empty, zeros)

    def stepped(self, value, pointer, position, cost):
        """``value``, or a neighbouring lag's score less the cost of the step."""
        before, after = (self.load(pointer, self.builder.add(position, _INDEX(step))) for step in (-1, 1))
        neighbours = self.largest(before, after)
        return self.largest(value, self.subtract(neighbours, _constant(cost)))

    def stepped_within(self, value, cost):
        """As `stepped`, for a vector beside which there are no other lags."""
        lanes = np.arange(LANES)
        left = self.shuffled(value, _constant(0), np.where(lanes > 0, lanes - 1, LANES))
        right = self.shuffled(value, _constant(0), lanes + 1)
        return self.largest(value, self.subtract(self.largest(left, right), _constant(cost)))

    def excess(self, score, bias, doublings=0):
        """What of a score is above a bias, doubled so many times."""
        value = self.subtract(score, _constant(bias))
        for _ in range(doublings):
            value = self.add(value, value)
        return value

    def moved(self, score, match, scoring):
        gain, loss = scoring
        return self.builder.select(match, self.add(score, _constant(gain)), self.subtract(score, _constant(loss)))


def _near(vectors, near, behind, offset, bases, base, put):
    """The near lags over four bases. ``put(track, value)`` stores bytes of tracks."""
    v, b = vectors, vectors.builder
    tolerant, moderate = v.load(near, TOLERANT_AT), v.load(near, MODERATE_AT)
    strict = v.load(near, STRICT_AT)
    tolerant = v.stepped(tolerant, near, _INDEX(TOLERANT_AT), TOLERANT_STEP)
    moderate_best, strict_best = v.load(near, MODERATE_BEST_AT), v.load(near, STRICT_BEST_AT)
    tracks = []
    for step in range(QUARTER):
        lagged = v.load(behind, b.sub(offset, _INDEX(step)))
        match = b.icmp_unsigned("==", lagged, v.splat(bases, b.add(base, _INDEX(step))))
        tolerant = v.moved(tolerant, match, TOLERANT)
        moderate = v.moved(v.stepped_within(moderate, MODERATE_STEP), match, MODERATE)
        strict = v.moved(v.stepped_within(strict, STRICT_STEP), match, STRICT)
        moderate_best, strict_best = v.largest(moderate_best, moderate), v.largest(strict_best, strict)
        scores = (tolerant, moderate, strict)
        tracks += [v.excess(*of) for of in zip(scores, near_track_bias(), (0, 0, STRICT_DOUBLINGS), strict=True)]
    highest = b.bitcast(v.reduce_many(tracks), ir.VectorType(ir.IntType(32), 4))
    for word in range(NEAR_TRACKS):
        put(4 * word, b.extract_element(highest, ir.IntType(32)(word)))
    for value, place in (
        (tolerant, TOLERANT_AT),
        (moderate, MODERATE_AT),
        (strict, STRICT_AT),
        (moderate_best, MODERATE_BEST_AT),
        (strict_best, STRICT_BEST_AT),
    ):
        v.store(value, near, place)


def _long(vectors, long, behind, offset, bases, base, begin, end, count, turn):
    """Long vectors from ``begin`` to before ``end`` over four bases: the highest excess of all. Two states take turns:
    the scores of all neighbours are read before any is overwritten.

    A loop, because unrolled its instructions would not fit into the processor's cache of them."""
    v, b = vectors, vectors.builder
    if begin == end:
        return ir.IntType(8)(0)
    four = [v.splat(bases, b.add(base, _INDEX(step))) for step in range(QUARTER)]
    lags = np.arange(LANES * begin, LANES * end) + LANES + 1
    bias = v.table(long_track_bias(lags))
    state = b.mul(turn, _INDEX(_state_size(count)))
    here = b.add(state, _INDEX(_place(begin)))
    there = b.sub(_INDEX(_state_size(count) + 2 * _place(begin)), here)
    behind_here = b.add(offset, _INDEX(int(lags[0]) - 1))
    highest = cgutils.alloca_once_value(b, _constant(0))
    with cgutils.for_range_slice(b, _INDEX(0), _INDEX(LANES * (end - begin)), _INDEX(LANES)) as (at, _):
        matches = _constant(0)
        for step, one in enumerate(four):
            lagged = v.load(behind, b.add(behind_here, b.sub(at, _INDEX(step))))
            matches = b.sub(matches, b.sext(b.icmp_unsigned("==", lagged, one), _VECTOR))
        matches = b.shl(matches, _constant(LONG_GAIN.bit_length() - 1))
        place = b.add(here, at)
        score = v.stepped(v.load(long, place), long, place, LONG_STEP)
        score = v.subtract(v.add(score, matches), _constant(LONG_LOSS))
        v.store(score, long, b.add(there, at))
        b.store(v.largest(b.load(highest), v.subtract(score, v.load(bias, at))), highest)
    return v.reduce(b.load(highest))


def _halved(vectors, values):
    """Every two neighbouring bytes become one, the larger, over vectors that follow each other."""
    if len(values) == 1:
        values = [values[0], values[0]]  # what comes after the first half is not looked at
    lanes = np.arange(2 * LANES).reshape(-1, 2).T
    return [
        vectors.largest(*(vectors.shuffled(*values[i : i + 2], half) for half in lanes))
        for i in range(0, len(values) - 1, 2)
    ] + ([_halved(vectors, values[-1:])[0]] if len(values) % 2 else [])


def _pool(vectors, near, long, count, put):
    """Write the bands: of the near scores 32 of one lag and 16 of two, then 16 of each doubling of the lag."""
    strict_bias = near_track_bias()[2]
    for number, (place, bias, doublings) in enumerate(
        (
            (TOLERANT_AT, TOLERANT_NOISE, 0),
            (MODERATE_BEST_AT, MODERATE_NOISE, 0),
            (STRICT_BEST_AT, strict_bias, STRICT_DOUBLINGS),
        )
    ):
        scores = vectors.excess(vectors.load(near, place), bias, doublings)
        (pairs,) = _halved(vectors, [scores])
        put(NEAR_BANDS * number, vectors.shuffled(scores, scores, range(32)))
        put(NEAR_BANDS * number + 32, vectors.shuffled(pairs, pairs, range(16, 32)))
    for place in (MODERATE_BEST_AT, STRICT_BEST_AT):
        vectors.store(_constant(0), near, place)  # for the next bin
    band, begin, size = 3 * NEAR_BANDS, 0, 1
    while begin < count:
        taken = min(size, count - begin)
        places = [_place(number) for number in range(begin, begin + taken)]
        values = [vectors.excess(vectors.load(long, place), LONG_NOISE) for place in places]
        bands = -(-taken * 16 // size)
        for _ in range((4 * size).bit_length() - 1):
            values = _halved(vectors, values)
        put(band, vectors.shuffled(values[0], values[0], range(bands)))
        band, begin, size = band + bands, begin + taken, 2 * size


@intrinsic(prefer_literal=True)
def advance(typingctx, near, long, bases, behind, row, quarter, vectors, out, at):
    """Move all scores on by the four bases of quarter 0-3 of bin ``row``, and write their tracks at out[at].

    near: uint8 (NEAR_SIZE,); long: uint8 (long_size(vectors),), both all 0 at first.
    bases: uint8 (n,), n a multiple of 16; behind: uint8 (n + 64 * (vectors + 1),), the same backwards (base i at
        n - 1 - i), and then what nothing matches. Unknown bases have other codes in one than in the other.
    row, quarter, at: int64. vectors: a literal; 64 * vectors lags from 65 on are long.
    out: uint8; out[at : at + TRACKS] is the bin's.
    """
    count = vectors.literal_value
    signature = types.void(near, long, bases, behind, row, types.int64, vectors, out, at)

    def codegen(context, builder, signature, arguments):
        near, long, bases, behind = (_array(context, builder, signature, arguments, at).data for at in range(4))
        size = builder.extract_value(_array(context, builder, signature, arguments, 2).shape, 0)
        _, _, _, _, row, quarter, _, _, at = arguments
        base = builder.add(builder.mul(row, _INDEX(4 * QUARTER)), builder.mul(quarter, _INDEX(QUARTER)))
        offset = builder.sub(size, base)
        instructions = _Vectors(builder)
        out = _array(context, builder, signature, arguments, 7).data

        def put(place):
            return instructions.put(out, builder.add(at, place))

        _near(instructions, near, behind, offset, bases, base, put(builder.mul(quarter, _INDEX(4 * NEAR_TRACKS))))
        middle = min(count, _MIDDLE_VECTORS)
        turn, half = builder.and_(quarter, _INDEX(1)), builder.lshr(quarter, _INDEX(1))
        highest = _long(instructions, long, behind, offset, bases, base, 0, middle, count, turn)
        put(quarter)(16 * NEAR_TRACKS, highest)
        with builder.if_then(builder.icmp_unsigned("==", turn, _INDEX(0))):
            highest = _long(instructions, long, behind, offset, bases, base, middle, count, count, half)
            put(half)(16 * NEAR_TRACKS + 4, highest)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def pool(typingctx, near, long, vectors, out, at):
    """Write the scores after quarter 3 at out[at] as bands: 48 near ones of each scoring, then the long ones.

    Of the near scores the tolerant ones are those of the bin's last base, the others the highest in the bin, which
    begin at 0 again. Arguments as of `advance`.
    """
    count = vectors.literal_value
    signature = types.void(near, long, vectors, out, at)

    def codegen(context, builder, signature, arguments):
        near, long, out = (_array(context, builder, signature, arguments, position).data for position in (0, 1, 3))
        instructions = _Vectors(builder)
        _pool(instructions, near, long, count, instructions.put(out, arguments[4]))
        return context.get_dummy_value()

    return signature, codegen


def _array(context, builder, signature, arguments, position):
    return context.make_array(signature.args[position])(context, builder, arguments[position])
