"""Cards of models of reads: what is kept, and what is refused."""

import json

import pytest

from genoscan.scanner.card import KmerMethylationInput, parse_card, sequence_digest
from genoscan.scanner.errors import GenoscanError

MARKER = {"chrom": "chr1", "start": 5, "end": 9, "target": "Liver", "digest": sequence_digest("ACGT")}
CARD = {
    "name": "tissue",
    "version": "1",
    "task": "read-classification",
    "input": {"kind": "kmer+methylation", "k": 3, "offset": 5, "unknown": 1, "prefix": [2], "suffix": [3]},
    "window": 150,
    "step": 150,
    "context": 0,
    "strand": "forward",
    "output": {"names": ["Liver", "Blood"], "activation": "softmax", "bin": 150, "prior": [0.25, 0.75]},
    "calling": {"threshold": 0.5, "extend": 0.1, "min_reads": 3},
    "assembly": "hg38",
    "markers": [MARKER],
}


def parsed(**changes):
    return parse_card(json.dumps({**CARD, **changes}), "toy.onnx")


def test_it_survives_its_json():
    card = parsed()
    assert parse_card(card.to_json(), "x") == card
    assert card.markers[0].digest == sequence_digest("acgt")
    assert card.input.kmers.stride == 1


def test_the_digest_is_of_upper_case_letters():
    # printf ACGT | sha256sum
    assert sequence_digest("acGT") == "1dff3e84fe7877e0"


def test_defaults():
    card = parsed(markers=[], output={**CARD["output"], "prior": []}, calling={"threshold": 0.5, "extend": 0.1})
    assert (card.markers, card.output.prior, card.calling.min_reads) == ((), (), 1)
    assert KmerMethylationInput(k=3, unknown=0).letters == "ACGT"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"task": "classification"}, "input.kind: 'kmer+methylation' is for the task read-classification"),
        ({"input": {"kind": "nucleotide"}}, "input.kind: must be 'kmer+methylation' for read-classification"),
        ({"window": 170, "context": 10}, "context: must be 0 for read-classification"),
        ({"strand": "both"}, "strand: must be 'forward' for read-classification"),
        ({"output": {**CARD["output"], "activation": "sigmoid"}}, "output.activation: must be softmax"),
        ({"output": {**CARD["output"], "called": ["Liver"]}}, "output.called: is not for read-classification"),
        ({"output": {**CARD["output"], "prior": [1.0]}}, "output.prior: must have a share for each of output.names"),
        ({"output": {**CARD["output"], "prior": [0.5, 0.6]}}, "output.prior: must have a share for each"),
        ({"output": {**CARD["output"], "prior": [0, 1]}}, "output.prior.0: "),
        ({"assembly": ""}, "assembly: must name the genome that markers are of"),
        ({"markers": [{**MARKER, "end": 5}]}, "markers.0: end: must be after start"),
        ({"markers": [{**MARKER, "digest": "xyz"}]}, "markers.0.digest: "),
        ({"calling": {**CARD["calling"], "prominence": 0.1}}, "calling.annotation: and calling.prominence are not"),
        ({"calling": {**CARD["calling"], "min_reads": 0}}, "calling.min_reads: "),
    ],
)
def test_refused(changes, problem):
    with pytest.raises(GenoscanError) as caught:
        parsed(**changes)
    assert str(caught.value).startswith(f"toy.onnx: wrong model card: {problem}")


def test_markers_and_priors_are_for_reads_alone():
    other = {**CARD, "task": "regression", "input": {"kind": "nucleotide"}}
    for fields, problem in (({}, "output.prior"), ({"output": {**CARD["output"], "prior": []}}, "markers")):
        with pytest.raises(GenoscanError, match=f"{problem}: (is|are) for the task read-classification"):
            parse_card(json.dumps({**other, **fields}), "x")
