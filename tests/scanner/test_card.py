"""Model cards: what is kept, what is refused, and how the message reads."""

import json
from typing import ClassVar

import pytest

from genoscan.scanner.card import (
    BytePairInput,
    Calling,
    KmerInput,
    ModelCard,
    NucleotideInput,
    Output,
    SpectrumInput,
    Track,
    parse_card,
    ragged,
)
from genoscan.scanner.errors import GenoscanError

BASE = {
    "name": "toy",
    "version": "1",
    "task": "segmentation",
    "input": {"kind": "nucleotide"},
    "window": 192,
    "step": 128,
    "context": 32,
    "strand": "both",
    "output": {"names": ["signal"], "activation": "sigmoid", "bin": 16},
    "calling": {"threshold": 0.5, "extend": 0.25},
}


def parsed(**changes):
    return parse_card(json.dumps({**BASE, **changes}), "toy.onnx")


def refused(**changes):
    with pytest.raises(GenoscanError) as caught:
        parsed(**changes)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("toy.onnx: wrong model card: ")
    return str(caught.value).removeprefix("toy.onnx: wrong model card: ")


@pytest.mark.parametrize(
    "source",
    [
        NucleotideInput(layout="codes"),
        KmerInput(k=6, stride=1, offset=5, unknown=1, prefix=(2,), suffix=(3,)),
        KmerInput(k=6, stride=6, unknown=0, prefix=(3,), singles=(1, 2, 3, 4, 5), longest=1000),
        BytePairInput(tokenizer='{"model": "ä"}', pad=3, pad_to_multiple_of=16, longest=512),
        SpectrumInput(lags=512),
    ],
    ids=lambda one: one.kind,
)
def test_a_card_survives_its_json(source):
    card = ModelCard(
        name="toy",
        version="1.2",
        description="tandem repeats, π and all",
        task="segmentation",
        input=source,
        window=192,
        step=128,
        context=32,
        shortest_window=None if ragged(source) else 96,
        strand="symmetric",
        output=Output(names=("a", "b"), activation="softmax", bin=16, called=("b",)),
        calling=Calling(threshold=0.5, extend=0.25, gap=3, min_length=10),
        track=Track(name="b", score_range=(-1.5, 2), color="1,2,3"),
    )
    assert parse_card(card.to_json(), "x") == card


def test_defaults():
    card = parsed()
    assert (card.max_unknown, card.shortest_window, card.output.called) == (0.5, None, ())
    assert (card.calling.gap, card.calling.min_length, card.track.score_range) == (0, 1, (0.0, 1.0))
    assert card.input == NucleotideInput(layout="one-hot")


class TestRefused:
    OUTPUT: ClassVar = BASE["output"]
    CALLING: ClassVar = BASE["calling"]

    def test_geometry(self):
        assert refused(window=200) == "window: must be step + 2 * context"
        assert refused(output={**self.OUTPUT, "bin": 24}) == "output.bin: must divide step and context"
        assert refused(task="regression") == "output.bin: must be the step for regression"
        assert refused(window=0).startswith("window: ")
        assert refused(context=-1).startswith("context: ")

    def test_shorter_windows(self):
        problem = "shortest_window: must be the window divided by a power of two"
        assert [refused(shortest_window=size) for size in (64, 100, 384)] == [problem] * 3
        assert refused(shortest_window=24) == "shortest_window: must be a multiple of output.bin"
        assert refused(shortest_window=0).startswith("shortest_window: ")
        whole = {**self.OUTPUT, "bin": 128}
        assert refused(shortest_window=96, task="regression", output=whole).startswith("shortest_window: is not for")

    def test_spectrum(self):
        odd = {"window": 200, "step": 136, "output": {**self.OUTPUT, "bin": 8}}
        assert "must be a multiple of 16" in refused(**odd, input={"kind": "spectrum", "lags": 64})
        assert refused(input={"kind": "spectrum", "lags": 100}).startswith("input.spectrum.lags: ")

    def test_inputs(self):
        assert refused(input={"kind": "bpe"}).startswith("input: ")
        assert refused(input={"kind": "kmer", "k": 6, "stride": 1}).startswith("input.kmer.unknown: ")
        assert refused(input={"kind": "kmer", "k": 40, "stride": 1, "unknown": 0}).startswith("input.kmer.k: ")

    def test_inputs_of_varying_length(self):
        singles = {"kind": "kmer", "k": 6, "stride": 1, "unknown": 0, "singles": [1, 2, 3, 4, 5]}
        assert refused(input=singles) == "input.singles: are for k-mers side by side: stride must be k"
        pairs = {"kind": "byte-pair", "tokenizer": "{}", "pad": 0}
        assert refused(input=pairs, shortest_window=96) == "shortest_window: is not for inputs of varying length"
        assert refused(input=pairs | {"pad": -1}).startswith("input.byte-pair.pad: ")

    @pytest.mark.parametrize("field", ["k", "stride", "offset", "unknown"])
    def test_numbers_that_no_token_has(self, field):
        kmers = {"kind": "kmer", "k": 3, "stride": 1, "unknown": 0, field: 2**63}
        assert refused(input=kmers).startswith(f"input.kmer.{field}: ")

    def test_tokens_around_a_window_that_are_none(self):
        for token in (-1, 2**53 + 1, 2**63):
            kmers = {"kind": "kmer", "k": 3, "stride": 1, "unknown": 0, "prefix": [2, token]}
            assert refused(input=kmers).startswith("input.kmer.prefix.1: ")

    def test_lengths_beyond_any_genome(self):
        for lags in (4096 + 64, 128_000_000, 2**64):
            assert refused(input={"kind": "spectrum", "lags": lags}).startswith("input.spectrum.lags: ")
        for field in ("gap", "min_length"):
            assert refused(calling={**self.CALLING, field: 10**30}).startswith(f"calling.{field}: ")

    def test_annotations(self):
        annotated = {**self.CALLING, "annotation": "tandem-repeat"}
        problem = "calling.annotation: needs one called output, and a strand other than 'both'"
        two = {**self.OUTPUT, "names": ["signal", "noise"]}
        assert refused(calling=annotated) == problem
        assert refused(calling=annotated, strand="symmetric", output=two) == problem
        assert refused(calling={**self.CALLING, "annotation": "genes"}, strand="forward").startswith(
            "calling.annotation: "
        )
        one = parsed(calling=annotated, strand="symmetric", output={**two, "called": ["noise"]})
        assert one.calling.annotation == "tandem-repeat"
        assert parsed().calling.annotation is None

    def test_a_color_in_other_digits(self):
        assert refused(track={"color": "٣,0,0"}).startswith("track.color: ")

    def test_outputs(self):
        assert refused(output={**self.OUTPUT, "called": ["x"]}) == "output.called: x is not among output.names"
        assert refused(output={**self.OUTPUT, "names": ["a", "a"]}) == "output.names: must be distinct"
        for name in ("", "a\tb", "a\nb", "x" * 256, "é"):
            assert refused(output={**self.OUTPUT, "names": ["fine", name]}).startswith("output.names.1: "), name
        assert refused(track={"name": "a\tb"}).startswith("track.name: ")

    def test_calling(self):
        assert refused(calling={"threshold": 0.5, "extend": 0.6}) == "calling.extend: must not exceed calling.threshold"
        assert refused(calling={**self.CALLING, "min_length": 0}).startswith("calling.min_length: ")
        assert refused(calling={**self.CALLING, "threshold": float("nan")}).startswith("calling.threshold: ")
        assert refused(calling={**self.CALLING, "threshold": 1e9}).startswith("calling.threshold: ")

    def test_scores_that_could_not_be_told_apart(self):
        for bounds in ([1, 1], [1, 0], [0, 0.00001]):
            assert refused(track={"score_range": bounds}).startswith("track.score_range: must rise")

    def test_names_that_are_no_file_names(self):
        for name in ("", "../up", "a/b", ".hidden", "a b"):
            assert refused(name=name).startswith("name: "), name

    def test_unknown_fields(self):
        assert refused(thresold=0.5) == "thresold: Extra inputs are not permitted"

    def test_no_json(self):
        for text, said in (
            ("", "Invalid JSON"),
            ("{", "Invalid JSON"),
            ("nonsense", "Invalid JSON"),
            ("[1]", "object"),
        ):
            with pytest.raises(GenoscanError, match=rf"^toy\.onnx: wrong model card: .*{said}"):
                parse_card(text, "toy.onnx")
