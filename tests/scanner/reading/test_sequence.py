"""What a tile reads, and the windows cut out of it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genoscan.scanner.card import Calling, ModelCard, NucleotideInput, Output
from genoscan.scanner.reading.sequence import gather, read_tile, unknown_bases
from genoscan.scanner.reading.tiles import INTERVAL, Tile, windows_of


def card(task="segmentation", window=32, step=16):
    return ModelCard(
        name="toy",
        version="1",
        task=task,
        input=NucleotideInput(),
        window=window,
        step=step,
        context=(window - step) // 2,
        strand="symmetric",
        output=Output(names=("x",), activation="identity", bin=1 if task == "segmentation" else step),
        calling=Calling(threshold=0.5, extend=0.5),
    )


def tile_of(*intervals, lengths):
    return Tile(0, np.array(list(intervals), dtype=INTERVAL), np.array(lengths, dtype=np.int64))


class Letters:
    """A genome from texts of digits; remembers what was read."""

    def __init__(self, *contigs):
        self.contigs = [np.array([int(digit) for digit in text], dtype=np.uint8) for text in contigs]
        self.read = []

    def codes(self, contig, start, end):
        assert 0 <= start < end <= len(self.contigs[contig])
        self.read.append((contig, start, end))
        return self.contigs[contig][start:end]


def texts(codes):
    return ["".join(map(str, row)) for row in codes]


def test_windows_by_hand():
    genome = Letters("0123012301230", "321")
    tile = tile_of((0, 5, 9), (1, 0, 3), lengths=[13, 3])
    model = card(window=8, step=4)  # reads two bases more on either side
    sequence, windows = read_tile(genome, tile, [model]), windows_of(model, tile)
    assert genome.read == [(0, 2, 13), (1, 0, 3)]
    assert texts([sequence.codes]) == ["23012301230321"]
    assert (sequence.offsets.tolist(), sequence.firsts.tolist()) == ([0, 11, 14], [2, 0])
    out = np.empty((3, 8), dtype=np.uint8)
    gather(sequence, windows, np.array([1, 0, 2]), out)
    assert texts(out) == ["23012304", "23012301", "44321444"]
    assert unknown_bases(sequence, windows, np.array([0, 0, 0])).tolist() == [0, 1, 5]
    assert unknown_bases(sequence, windows, np.array([2, 2, 2])).tolist() == [0, 0, 1]


def test_a_tile_is_read_once_for_all_models():
    genome = Letters("0123" * 25)
    tile = tile_of((0, 40, 44), lengths=[100])
    models = [card(window=8, step=4), card("classification", window=48, step=16), card(window=64, step=64)]
    alone = [read_tile(genome, tile, [model]) for model in models]
    assert genome.read == [(0, 38, 46), (0, 16, 64), (0, 0, 64)]
    genome.read.clear()
    together = read_tile(genome, tile, models)
    assert genome.read == [(0, 0, 64)]
    for model, one in zip(models, alone, strict=True):
        windows = windows_of(model, tile)
        found = [np.empty((1, model.window), dtype=np.uint8) for _ in range(2)]
        gather(one, windows, np.array([0]), found[0])
        gather(together, windows, np.array([0]), found[1])
        assert np.array_equal(*found)


def test_what_lies_outside_of_a_contig_is_not_read():
    genome = Letters("0" * 40)
    model = card("regression", window=16, step=16)
    read_tile(genome, tile_of((0, 30, 31), lengths=[40]), [model])
    read_tile(genome, tile_of((0, 33, 34), lengths=[40]), [model])  # its window was moved inwards
    read_tile(genome, tile_of((0, 33, 34), lengths=[40]), [card(window=16, step=16)])
    assert genome.read == [(0, 16, 32), (0, 24, 40), (0, 32, 40)]


@given(
    st.lists(st.text("01234", min_size=1, max_size=70), min_size=1, max_size=4),
    st.sampled_from([(8, 4), (16, 2), (6, 6), (32, 8)]),
    st.sampled_from(["segmentation", "regression"]),
    st.integers(0, 2),
)
def test_unknown_bases_are_counted_as_they_are_cut(contigs, shape, task, margin):
    genome, model = Letters(*contigs), card(task, window=shape[0], step=shape[1])
    tile = tile_of(*((i, 0, len(one)) for i, one in enumerate(contigs)), lengths=[len(one) for one in contigs])
    sequence, windows = read_tile(genome, tile, [model]), windows_of(model, tile)
    out = np.empty((len(windows.starts), model.window), dtype=np.uint8)
    gather(sequence, windows, np.arange(len(out)), out)
    for row, interval, start in zip(texts(out), windows.intervals, windows.starts, strict=True):
        places = range(start, start + model.window)
        inside = [contigs[interval][at] if 0 <= at < len(contigs[interval]) else "4" for at in places]
        assert row == "".join(inside)
    expected = (out[:, margin : model.window - margin] == 4).sum(axis=1)
    assert np.array_equal(unknown_bases(sequence, windows, np.full(len(out), margin)), expected)
