"""What a checkpoint says of itself, what the user says instead, and what is said when neither is enough."""

import json

import checkpoints
import pytest
import torch
from checkpoints import bases, kmer_words
from commands import invoke
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModelForSequenceClassification, BertConfig, BertForMaskedLM, BertModel

from genoscan.export.families import CheckpointSettings, open_checkpoint
from genoscan.scanner.card import KmerInput, NucleotideInput
from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training.pretrained.model_input import parse_input


def opened(folder, **settings):
    return open_checkpoint(folder, CheckpointSettings(**{"window": 60, **settings}))


# ---- heads


@pytest.mark.parametrize(
    ("config", "settings", "task", "activation", "called"),
    [
        ({"num_labels": 2}, {}, "classification", "softmax", ("LABEL_1",)),
        ({"num_labels": 4}, {}, "classification", "softmax", ()),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, {}, "classification", "sigmoid", ()),
        ({"num_labels": 1}, {}, "regression", "identity", ()),
        ({"num_labels": 3, "problem_type": "regression"}, {}, "regression", "identity", ()),
        ({"num_labels": 1}, {"task": "classification"}, "classification", "sigmoid", ()),
        ({"num_labels": 2}, {"task": "regression"}, "regression", "identity", ()),
        ({"num_labels": 4}, {"called": ("LABEL_2",)}, "classification", "softmax", ("LABEL_2",)),
        ({"num_labels": 2}, {"activation": "sigmoid"}, "classification", "sigmoid", ()),
    ],
)
def test_heads(config, settings, task, activation, called, tmp_path):
    card = opened(checkpoints.dnabert(tmp_path, **config), **settings).card
    assert (card.task, card.output.activation, card.output.called) == (task, activation, called)


def test_names_of_outputs(tmp_path):
    folder = checkpoints.dnabert(tmp_path, num_labels=2, id2label={0: "other", 1: "Promotor ä"})
    assert opened(folder).card.output.names == ("other", "Promotor _")
    assert opened(folder, outputs=("no", "yes")).card.output.called == ("yes",)
    with pytest.raises(UsageError, match=r"--outputs a,b,c: .* has 2 outputs, not 3"):
        opened(folder, outputs=("a", "b", "c"))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_embeddings(pooling, tmp_path):
    folder = checkpoints.dnabert(tmp_path, head=None)
    source = opened(folder, embeddings=pooling)
    assert source.card.output.names == tuple(f"embedding_{number}" for number in range(16))
    assert (source.card.task, source.card.output.activation) == ("regression", "identity")
    sequence = bases(60)
    tokens = checkpoints.tokens(folder, kmer_words(sequence, 3))
    with torch.inference_mode():
        hidden = BertModel.from_pretrained(folder).eval()(tokens).last_hidden_state
        found = source.network(tokens)
    torch.testing.assert_close(found, hidden.mean(dim=1) if pooling == "mean" else hidden[:, 0])


def test_embeddings_of_byte_pairs_leave_padding_out(tmp_path):
    folder = checkpoints.grover(tmp_path)
    source = opened(folder, embeddings="mean")
    tokens = checkpoints.tokens(folder, bases(60))
    padded = torch.cat([tokens, torch.full((1, 5), 3)], dim=1)
    with torch.inference_mode():
        torch.testing.assert_close(source.network(padded), source.network(tokens), atol=1e-5, rtol=1e-5)


def test_embeddings_of_a_language_model(tmp_path):
    """As published: a head for masked tokens, which is left out, and no pooler, which is not asked for."""
    folder = checkpoints.dnabert(tmp_path, head=None)
    net = BertForMaskedLM(BertConfig.from_pretrained(folder)).eval()
    net.save_pretrained(folder)
    source = opened(folder, embeddings="cls")
    tokens = checkpoints.tokens(folder, kmer_words(bases(60), 3))
    with torch.inference_mode():
        expected = net.bert(tokens).last_hidden_state[:, 0]
        torch.testing.assert_close(source.network(tokens), expected)


def test_thresholds_and_ranges(tmp_path):
    card = opened(checkpoints.dnabert(tmp_path, num_labels=1), threshold=2, score_range=(-1.0, 6.0)).card
    assert (card.calling.threshold, card.calling.extend, card.track.score_range) == (2, 2, (-1, 6))
    with pytest.raises(UsageError, match=r"the card cannot be made: card\.track\.score_range: must rise"):
        opened(tmp_path, score_range=(1.0, 1.0))


def test_a_language_model_without_a_head_is_refused(tmp_path):
    folder = checkpoints.dnabert(tmp_path, head=None)
    with pytest.raises(UsageError, match=r"BertModel without a head .* --embeddings mean"):
        opened(folder)


def test_a_head_that_was_never_trained_is_refused(tmp_path):
    folder = checkpoints.dnabert(tmp_path, head=None)
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["BertForSequenceClassification"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(GenoscanError, match=r"weights are missing, e\.g\. classifier\.bias"):
        opened(folder)


# ---- windows


def test_windows_by_default(tmp_path):
    source = open_checkpoint(checkpoints.dnabert(tmp_path / "a", max_position_embeddings=512))
    assert source.card.window == 512
    assert any("--window" in note for note in source.notes)
    assert open_checkpoint(checkpoints.dnabert(tmp_path / "b", max_position_embeddings=152)).card.window == 152
    assert open_checkpoint(checkpoints.nucleotide_transformer(tmp_path / "c")).card.window == 594
    assert not open_checkpoint(tmp_path / "b", CheckpointSettings(window=100)).notes


def test_a_window_beyond_the_networks_reach_is_refused(tmp_path):
    folder = checkpoints.dnabert(tmp_path / "a")
    assert opened(folder, window=128).card.window == 128
    with pytest.raises(UsageError, match=r"--window 129: these are 129 tokens, and .* reads at most 128"):
        opened(folder, window=129)
    with pytest.raises(UsageError, match="reads at most 100"):
        opened(checkpoints.nucleotide_transformer(tmp_path / "b"), window=606)
    with pytest.raises(UsageError, match="reads at most 128"):
        opened(checkpoints.grover(tmp_path / "c"), window=600)
    assert opened(checkpoints.dnabert2(tmp_path / "d"), window=600).card.input.longest is None
    with pytest.raises(UsageError, match=r"--window 2: .* reads 3-mers"):
        opened(folder, window=2)


# ---- tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one-hot", NucleotideInput()),
        ("one-hot:last", NucleotideInput()),
        ("codes", NucleotideInput(layout="codes")),
        ("kmer:6:1", KmerInput(k=6, stride=1, unknown=4096)),
        (
            "kmer:3:3,letters=ATCG,offset=5,unknown=1,prefix=2,suffix=3",
            KmerInput(k=3, stride=3, letters="ATCG", offset=5, unknown=1, prefix=(2,), suffix=(3,)),
        ),
    ],
)
def test_inputs_in_words(text, expected):
    assert parse_input(text) == expected


@pytest.mark.parametrize("text", ["", "kmer", "kmer:6", "kmer:a:1", "kmer:6:1,size=3", "kmer:99:1", "bpe:1:2",
                                  "kmer:3:1,letters=AACG", "kmer:3:1,offset", "kmer:3:1,letters="])  # fmt: skip
def test_wrong_inputs(text):
    with pytest.raises(UsageError, match=r"^--input .*: say one-hot") as caught:
        parse_input(text)
    assert "\n" not in str(caught.value)


def test_a_stride_that_the_tokenizer_cannot_tell(tmp_path):
    """k-mers side by side between blanks: the vocabulary is the same, only the user knows."""
    folder = checkpoints.dnabert(tmp_path)
    spec = opened(folder, input="kmer:3:3").card.input
    assert (spec.k, spec.stride, spec.singles, spec.letters) == (3, 3, None, "ATCG")
    with pytest.raises(UsageError, match=r"--input kmer:4:1: the tokenizer .* has 3-mers"):
        opened(folder, input="kmer:4:1")


def test_a_network_without_a_tokenizer(tmp_path):
    folder = checkpoints.dnabert(tmp_path)
    for name in ("vocab.txt", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(GenoscanError, match="--input kmer:K:STRIDE"):
        opened(folder)
    said = "kmer:3:1,letters=ATCG,offset=5,unknown=1,prefix=2,suffix=3"
    source = opened(folder, input=said)
    assert source.card.input == parse_input(said)


def test_tokens_that_the_network_does_not_know(tmp_path):
    folder = checkpoints.dnabert(tmp_path)
    with pytest.raises(GenoscanError, match="token 73 can come, and the network knows 69: "):
        opened(folder, input="kmer:3:1,offset=10,unknown=1")


def test_a_vocabulary_out_of_order_is_refused(tmp_path):
    folder = checkpoints.dnabert(tmp_path)
    words = (folder / "vocab.txt").read_text().split()
    words[10], words[11] = words[11], words[10]
    (folder / "vocab.txt").write_text("\n".join(words))
    with pytest.raises(GenoscanError, match="the tokenizer's tokens cannot be made by the scanner"):
        opened(folder)


def test_a_tokenizer_that_lower_cases_is_refused(tmp_path):
    """It would make every token unknown, in the checkpoint's own training too."""
    folder = checkpoints.dnabert(tmp_path)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True}))
    with pytest.raises(GenoscanError, match=r"as 3-mers every 1 bases \(token 1"):
        opened(folder)


def test_byte_pairs_whose_tokenizer_is_said_to_be_berts(tmp_path):
    """transformers 5 reads such a folder as words, not byte pairs; versions before it took the file as it stands."""
    folder = checkpoints.grover(tmp_path)
    expected = opened(folder).card.input
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"tokenizer_class": "BertTokenizerFast"}))
    found = opened(folder).card.input
    assert json.loads(found.tokenizer)["model"] == json.loads(expected.tokenizer)["model"]


def test_single_bases(tmp_path):
    """A tokenizer of letters is read as 1-mers, which costs no tokenizer in the scan."""
    folder = checkpoints.grover(tmp_path)
    words = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4, "G": 5, "A": 6, "T": 7, "C": 8, "N": 9}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A [SEP]", special_tokens=[("[SEP]", 2)])
    tokenizer.save(str(folder / "tokenizer.json"))
    expected = KmerInput(k=1, stride=1, letters="GATC", offset=5, unknown=9, suffix=(2,))
    assert opened(folder).card.input == expected


def test_truncation_that_training_left_in_a_tokenizer_is_left_out(tmp_path):
    folder = checkpoints.grover(tmp_path)
    written = json.loads((folder / "tokenizer.json").read_text())
    written["truncation"] = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    (folder / "tokenizer.json").write_text(json.dumps(written))
    assert json.loads(opened(folder).card.input.tokenizer)["truncation"] is None


# ---- code that a checkpoint brings

CODE = """
from transformers import BertForSequenceClassification

print("code of the checkpoint")


class Mine(BertForSequenceClassification):
    pass
"""


def with_code(folder):
    checkpoints.dnabert(folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForSequenceClassification": "mine.Mine"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(CODE)
    return folder


def test_code_is_run_only_when_the_user_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = with_code(tmp_path / "checkpoint")
    with pytest.raises(GenoscanError, match=r"code of its own \(mine\.Mine\), .* --trust-remote-code") as caught:
        opened(folder)
    assert "\n" not in str(caught.value)
    assert "code of the checkpoint" not in capsys.readouterr().out
    source = opened(folder, trust_remote_code=True)
    assert "code of the checkpoint" in capsys.readouterr().out
    tokens = checkpoints.tokens(checkpoints.dnabert(tmp_path / "plain"), kmer_words(bases(60), 3))
    with torch.inference_mode():
        expected = AutoModelForSequenceClassification.from_pretrained(tmp_path / "plain").eval()(tokens).logits
        torch.testing.assert_close(source.network(tokens), expected)


def test_state_space_models_are_refused(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "caduceus", "architectures": ["CaduceusForSequenceClassification"]})
    )
    with pytest.raises(GenoscanError, match=r"is a state-space model: .* cannot be exported"):
        opened(tmp_path)


# ---- names on the hub


def test_the_hub_out_of_reach_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = invoke("export", "somebody/no-such-model", "-o", tmp_path / "m.onnx")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert (
        "somebody/no-such-model: no such file or folder, and not to be had from the Hugging Face hub" in result.stderr
    )


def test_a_checkpoint_in_the_hubs_cache(tmp_path, monkeypatch):
    """Folders as the hub's client lays them out, opened by the model's name without a network."""
    root = tmp_path / "hub" / "models--lab--promoters"
    checkpoints.dnabert(root / "snapshots" / "0123abc")
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("0123abc")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert opened("lab/promoters").card.name == "promoters"


def test_runs_of_our_own_have_their_card(tmp_path):
    (tmp_path / "best.pt").write_bytes(b"")
    with pytest.raises(UsageError, match="has its card in its recipe: leave out --window, --call"):
        open_checkpoint(tmp_path, CheckpointSettings(window=3, called=("a",)))


def test_damaged_folders(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(GenoscanError, match=r"config\.json: cannot be read"):
        opened(tmp_path)
    folder = checkpoints.dnabert(tmp_path / "a")
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(GenoscanError, match="the network cannot be loaded: ") as caught:
        opened(folder)
    assert "\n" not in str(caught.value)
