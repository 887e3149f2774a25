"""Byte-pair tokens: a tokenizer whose merges are known by hand."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tokenizers import Tokenizer, models, processors

from genoscan.scanner.card import BytePairInput, Calling, ModelCard, Output
from genoscan.scanner.encoding.encoder import encoder, row_lengths, rows_by_length
from genoscan.scanner.encoding.single_bases import NO_TOKEN
from genoscan.scanner.errors import GenoscanError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "A", "C", "G", "T", "AC", "ACAC", "GT"]
LETTERS = "ACGTN"


def tokenizer_json():
    numbers = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.BPE(numbers, [("A", "C"), ("AC", "AC"), ("G", "T")], unk_token="[UNK]"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer.to_str()


def card(window=12, task="classification", **fields):
    spec = BytePairInput(tokenizer=tokenizer_json(), pad=0, **{"pad_to_multiple_of": 4, **fields})
    return ModelCard(
        name="toy",
        version="1",
        task=task,
        input=spec,
        window=window,
        step=window,
        context=0,
        strand="forward",
        output=Output(names=("yes",), activation="sigmoid", bin=window),
        calling=Calling(threshold=0.5, extend=0.5),
    )


def encoded(one, *texts):
    encode = encoder(one)
    codes = np.array([[LETTERS.index(letter) for letter in text] for text in texts], dtype=np.uint8)
    out = np.full((len(texts) + 1, *encode.window_shape(len(texts[0]))), 77, dtype=np.int64)
    encode.encode(codes, out)
    assert (out[-1] == 77).all()
    return out[:-1]


def test_by_hand():
    tokens = encoded(card(), "ACACACGTTTTT", "NNAACNNGTACN", "ACACACACACAC")
    assert tokens.shape == (3, 16)  # 12 bases by themselves, two special ones, and padding
    assert tokens[0].tolist() == [2, 9, 8, 10, 7, 7, 7, 7, 3, 0, 0, 0] + 4 * [NO_TOKEN]
    assert tokens[1].tolist() == [2, 4, 8, 1, 1, 10, 8, 3] + 8 * [NO_TOKEN]
    assert tokens[2].tolist() == [2, 9, 9, 9, 3, 0, 0, 0] + 8 * [NO_TOKEN]


def test_segmentation_keeps_unknown_bases_at_the_ends():
    tokens = encoded(card(task="segmentation"), "NNAACNNGTACN")
    assert tokens[0].tolist() == [2, 1, 1, 4, 8, 1, 1, 10, 8, 1, 3, 0] + 4 * [NO_TOKEN]


def test_rows_of_one_length_go_together():
    one = card()
    tokens = encoded(one, "ACACACGTTTTT", "NNAACNNGTACN", "ACACACACACAC")
    assert row_lengths(tokens).tolist() == [12, 8, 8]
    groups = [(rows.tolist(), tensor.shape) for rows, tensor in rows_by_length(encoder(one), tokens)]
    assert groups == [([1, 2], (2, 8)), ([0], (1, 12))]


def test_a_tokenizers_own_truncation_and_padding_are_left_out():
    text = json.loads(tokenizer_json())
    text["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    text["padding"] = {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                       "pad_type_id": 0, "pad_token": "[PAD]"}  # fmt: skip
    one = card()
    spec = one.input.model_copy(update={"tokenizer": json.dumps(text)})
    np.testing.assert_array_equal(
        encoded(one.model_copy(update={"input": spec}), "ACACACGTTTTT"), encoded(one, "ACACACGTTTTT")
    )


def test_threads_side_by_side():
    encode = encoder(card(window=300))
    codes = np.random.default_rng(1).integers(0, 5, (40, 300)).astype(np.uint8)

    def work(_):
        out = np.empty((40, *encode.window_shape(300)), dtype=np.int64)
        encode.encode(codes, out)
        return out

    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(work, range(16))
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_the_library_s_own_threads_are_off_unless_asked_for():
    code = "import os, test_byte_pairs as t; t.encoder(t.card()); print(os.environ['TOKENIZERS_PARALLELISM'])"
    for asked, expected in (({}, "false"), ({"TOKENIZERS_PARALLELISM": "true"}, "true")):
        environment = {key: value for key, value in os.environ.items() if key != "TOKENIZERS_PARALLELISM"} | asked
        environment["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), environment.get("PYTHONPATH", "")])
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
        )
        assert found.stdout.strip() == expected, found.stderr


@pytest.mark.parametrize("text", ["{}", "not JSON", '{"model": 3}'])
def test_a_damaged_tokenizer_is_named(text):
    spec = BytePairInput(tokenizer=text, pad=0)
    with pytest.raises(GenoscanError, match=r"^model toy: wrong model card: input\.tokenizer: ") as caught:
        encoder(card().model_copy(update={"input": spec}))
    assert "\n" not in str(caught.value)
