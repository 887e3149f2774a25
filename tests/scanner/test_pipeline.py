"""One tile to its runs and levels, against the rules followed base by base and window by window in plain Python."""

import pickle
import threading
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genoscan.scanner.calling.channels import STRANDS, channels_of
from genoscan.scanner.calling.intervals import RUN, in_channel_order, in_genome_order, merge_runs
from genoscan.scanner.calling.levels import LEVEL, merge_levels
from genoscan.scanner.card import Calling, ModelCard, NucleotideInput, Output
from genoscan.scanner.encoding.encoder import encoder
from genoscan.scanner.errors import Interrupted
from genoscan.scanner.inference.session import Model
from genoscan.scanner.inference.stitch import fixed_scores
from genoscan.scanner.pipeline import tile_levels, tile_runs
from genoscan.scanner.reading.sequence import read_tile
from genoscan.scanner.reading.tiles import INTERVAL, cut_tiles

GO = threading.Event()
LOWEST = {"identity": 4000, "sigmoid": 5500, "softmax": 5000}


class Contigs:
    """A genome from code arrays; remembers what was read."""

    def __init__(self, contigs):
        self.contigs, self.read = contigs, []
        self.lengths = np.array([len(one) for one in contigs], dtype=np.int64)

    def codes(self, contig, start, end):
        assert 0 <= start < end <= len(self.contigs[contig])
        self.read.append((contig, start, end))
        return self.contigs[contig][start:end]


def toy_card(task, step, context, bin=1, shortest=None, **fields):
    outputs = {"names": ("x",), "activation": "identity", **fields.pop("output", {})}
    return ModelCard(
        name="toy",
        version="1",
        task=task,
        input=NucleotideInput(layout="codes"),
        window=step + 2 * context,
        step=step,
        context=context,
        shortest_window=shortest,
        output=Output(bin=bin if task == "segmentation" else step, **outputs),
        calling=Calling(threshold=0.5, extend=0.5),
        **{"strand": "forward", **fields},
    )


def outputs_of(card, window):
    """Logits of one window, float32 (bins, outputs) or (outputs,): they depend on every base, its place and the bin."""
    whole = int(((window + 1) * (np.arange(len(window)) + 3) ** 2).sum()) % 1009
    output = np.arange(len(card.output.names)) * 23
    if card.task != "segmentation":
        return (((whole + output) % 61) / 20 - 1.5).astype(np.float32)
    own = window.reshape(-1, card.output.bin).sum(axis=1) * 17 + np.arange(len(window) // card.output.bin) * whole
    return (((own[:, None] + output) % 61) / 20 - 1.5).astype(np.float32)


def toy_model(card, batch_size=2):
    shapes = []

    def run(tensor):
        assert len(tensor) == model.rows(tensor.shape[1])
        assert set(np.unique(tensor)) <= {0, 1, 2, 3, 4}
        shapes.append(tensor.shape)
        return np.stack([outputs_of(card, row) for row in tensor])

    model = Model("toy.onnx", "", card, encoder(card), "cpu", batch_size, run)
    return model, shapes


class Expected(NamedTuple):
    runs: np.ndarray
    levels: np.ndarray
    windows: int
    skipped: int


def reversed_codes(codes):
    return np.array([code if code == 4 else 3 - code for code in codes[::-1]])


def window_for(card, length, base):
    """Start and size of the window that scores a base."""
    cell = base // card.step
    if card.task != "segmentation":
        return min(max(cell * card.step - card.context, 0), max(0, length - card.window)), card.window
    if card.shortest_window is not None and length <= card.window:
        sizes = [card.window >> halvings for halvings in range(20) if card.window >> halvings >= card.shortest_window]
        return 0, min(size for size in sizes if size >= length)
    return cell * card.step - card.context, card.window


def known(codes):
    return sum(code != 4 for code in codes)


def is_read(card, contig, base, start, window):
    """Whether the window for a base holds enough known bases to be read."""
    if card.task != "segmentation":
        return len(window) - known(window) <= card.max_unknown * len(window) and known(window) > 0
    if start == 0 and card.shortest_window is not None and len(contig) <= card.window:
        return known(contig) > 0
    cell = base // card.step * card.step
    return known(contig[cell : cell + card.step]) > 0


def base_scores(card, contig, start, end, backward):
    """For each base of [start, end) its scores, None where it has none; and the windows, with what they hold."""
    windows, scores = {}, []
    for base in range(start, end):
        at, size = window_for(card, len(contig), base)
        if at not in windows:
            window = np.array([contig[i] if 0 <= i < len(contig) else 4 for i in range(at, at + size)])
            windows[at] = None
            if is_read(card, contig, base, at, window):
                logits = outputs_of(card, reversed_codes(window) if backward else window)
                windows[at] = fixed_scores(logits, card.output.activation)
        first = base // card.output.bin * card.output.bin
        own = contig[first : first + card.output.bin]
        unknown = len(own) - known(own)
        if windows[at] is None or unknown > card.max_unknown * len(own) or unknown == len(own):
            scores.append(None)
        elif card.task != "segmentation":
            scores.append(windows[at])
        else:
            place = (base - at) // card.output.bin
            scores.append(windows[at][len(windows[at]) - 1 - place if backward else place])
    return scores, windows


def expected(card, contigs, intervals, lowest):
    runs, levels, windows, skipped = [], [], 0, 0
    for contig, start, end in intervals.tolist():
        by_strand = {}
        for _, backward in STRANDS[card.strand]:
            by_strand[backward], found = base_scores(card, contigs[contig], start, end, backward)
        windows += sum(one is not None for one in found.values())
        skipped += sum(one is None for one in found.values())
        for number, channel in enumerate(channels_of(card)):
            for base, score in enumerate(by_strand[channel.backward], start):
                if score is not None:
                    one = int(score[channel.output])
                    if one >= lowest:
                        runs.append((contig, number, base, base + 1, one, 1, one))
                    levels.append((contig, number, base, base + 1, one))
    found = merge_runs(in_channel_order(np.array(runs, dtype=RUN)), 0)
    return Expected(found, merge_levels(np.array(levels, dtype=LEVEL)), windows, skipped)


@st.composite
def cards(draw):
    task = draw(st.sampled_from(["segmentation", "classification", "regression"]))
    bin = draw(st.integers(1, 4))
    step, context = (bin * draw(st.integers(low, 6)) for low in (1, 0))
    shortest = None
    if task == "segmentation" and draw(st.booleans()):
        step, context = 4 * step, 4 * context
        shortest = (step + 2 * context) // draw(st.sampled_from([1, 2, 4]))
    names = draw(st.sampled_from([("x",), ("x", "y")]))
    output = {
        "names": names,
        "activation": draw(st.sampled_from(["identity", "sigmoid", "softmax"])),
        "called": draw(st.sampled_from([(), names[-1:]])),
    }
    unknown = draw(st.sampled_from([0.0, 0.3, 0.5, 1.0]))
    strand = draw(st.sampled_from(["both", "forward", "symmetric"]))
    return toy_card(task, step, context, bin, shortest, output=output, max_unknown=unknown, strand=strand)


@st.composite
def genomes(draw):
    """Contigs with runs of N, and the intervals to be scanned in them."""
    contigs, intervals = [], []
    for number in range(draw(st.integers(1, 5))):
        length = draw(st.integers(1, 90))
        codes = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 4, length, dtype=np.uint8)
        for start, size in draw(st.lists(st.tuples(st.integers(0, 89), st.integers(1, 40)), max_size=2)):
            codes[start : start + size] = 4
        contigs.append(codes)
        cuts = draw(st.lists(st.integers(0, length), unique=True, max_size=6).map(sorted))
        pairs = list(zip(cuts[::2], cuts[1::2], strict=False)) if draw(st.booleans()) else [(0, length)]
        intervals += [(number, start, end) for start, end in pairs]
    return contigs, np.array(intervals, dtype=INTERVAL)


def scanned(model, genome, intervals, tile_size, others=()):
    """All tiles' runs (joined), levels, windows and skipped windows; other cards may ask for more to be read."""
    read = [model.card, *others]
    runs, levels, windows, skipped = [np.empty(0, RUN)], [np.empty(0, LEVEL)], 0, 0
    for tile in cut_tiles(intervals, genome.lengths, tile_size, read):
        sequence = read_tile(genome, tile, read)
        found = tile_runs(model, tile, sequence, LOWEST[model.card.output.activation], GO)
        assert np.array_equal(found.found, in_genome_order(found.found))
        runs.append(found.found)
        windows, skipped = windows + found.windows, skipped + found.skipped
        again = tile_levels(model, tile, sequence, GO)
        assert again[1:] == found[1:]
        levels.append(again.found)
    joined = merge_runs(in_channel_order(np.concatenate(runs)), 0)
    return Expected(joined, merge_levels(np.concatenate(levels)), windows, skipped)


@settings(max_examples=200)
@given(cards(), genomes(), st.integers(1, 5), st.integers(1, 150), st.lists(cards(), max_size=2))
def test_tiles_give_what_the_rules_give_base_by_base(card, genome, batch_size, tile_size, others):
    contigs, intervals = genome
    model, _ = toy_model(card, batch_size)
    found = scanned(model, Contigs(contigs), intervals, tile_size, others)
    rules = expected(card, contigs, intervals, LOWEST[card.output.activation])
    assert found.runs.tolist() == rules.runs.tolist()
    assert found.levels.tolist() == rules.levels.tolist()
    assert (found.windows, found.skipped) == (rules.windows, rules.skipped)


def whole_contigs(genome):
    return np.array([(i, 0, length) for i, length in enumerate(genome.lengths)], dtype=INTERVAL)


def only_tile(genome, *models, tile_size=10_000):
    (tile,) = cut_tiles(whole_contigs(genome), genome.lengths, tile_size, models)
    return tile


def random_contigs(*lengths):
    generator = np.random.default_rng(1)
    return Contigs([generator.integers(0, 4, length, dtype=np.uint8) for length in lengths])


def test_batches_cross_contigs_and_keep_their_shapes():
    card = toy_card("segmentation", 32, 0, shortest=8)
    model, shapes = toy_model(card, batch_size=1)
    genome = random_contigs(*[5, 16, 40] * 10)  # ten windows of 8, ten of 16, twenty of 32
    tile = only_tile(genome, card)
    tile_runs(model, tile, read_tile(genome, tile, [card]), 4000, GO)
    assert shapes == [(4, 8)] * 3 + [(2, 16)] * 5 + [(1, 32)] * 20


def test_one_reading_serves_several_models():
    models = [toy_card("segmentation", 32, 8, shortest=12), toy_card("regression", 10, 20)]
    genome = random_contigs(5, 100, 33)
    tile = only_tile(genome, *models)
    sequence = read_tile(genome, tile, models)
    assert genome.read == [(0, 0, 5), (1, 0, 100), (2, 0, 33)]
    for card in models:
        alone = tile_runs(toy_model(card)[0], tile, read_tile(genome, tile, [card]), 4000, GO)
        together = tile_runs(toy_model(card)[0], tile, sequence, 4000, GO)
        assert len(alone.found) > 0
        assert np.array_equal(alone.found, together.found)


def test_a_tile_and_its_sequence_travel():
    card = toy_card("segmentation", 32, 8, shortest=12, strand="both")
    genome = random_contigs(5, 100, 33)
    tile = only_tile(genome, card)
    sequence = read_tile(genome, tile, [card])
    here = tile_runs(toy_model(card)[0], tile, sequence, 4000, GO)
    sent_tile, sent = pickle.loads(pickle.dumps((tile, sequence)))
    for array in (sent_tile.intervals, sent_tile.lengths, *sent):
        array.flags.writeable = False  # as shared memory gives them
    there = tile_runs(toy_model(card)[0], sent_tile, sent, 4000, GO)
    assert np.array_equal(here.found, there.found)


@pytest.mark.parametrize("task", ["segmentation", "regression"])
def test_a_tile_without_known_bases_never_reaches_the_model(task):
    card = toy_card(task, 8, 0, max_unknown=1.0)
    model, shapes = toy_model(card)
    genome = Contigs([np.full(50, 4, dtype=np.uint8)])
    tile = only_tile(genome, card)
    found = tile_runs(model, tile, read_tile(genome, tile, [card]), 4000, GO)
    assert (len(found.found), found.found.dtype, found.windows, found.skipped) == (0, RUN, 0, 7)
    assert shapes == []


@pytest.mark.parametrize("work", [lambda *args: tile_runs(*args[:3], 4000, args[3]), tile_levels])
def test_a_scan_that_is_told_to_stop_runs_nothing_more(work):
    card = toy_card("segmentation", 8, 4)
    model, shapes = toy_model(card)
    genome = random_contigs(50)
    tile = only_tile(genome, card)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        work(model, tile, read_tile(genome, tile, [card]), stop)
    assert shapes == []
