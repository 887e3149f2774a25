"""LoRA adapters of peft: merged, and then the network that they were trained on with its scores."""

import json
import shutil

import checkpoints
import pytest
import torch
from checkpoints import bases, kmer_words
from commands import invoke
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import BertForSequenceClassification

from genoscan.export.families import CheckpointSettings, open_checkpoint
from genoscan.scanner.errors import GenoscanError
from genoscan.scanner.inference.session import read_card
from genoscan.training.nets.alibi_bert import AlibiBertForSequenceClassification

WINDOW = CheckpointSettings(window=60)
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks


def adapted(net, folder, targets, task=TaskType.SEQ_CLS):
    """An adapter with random weights, as peft saves it."""
    torch.manual_seed(3)
    wrapped = get_peft_model(net, LoraConfig(task_type=task, r=4, target_modules=targets, lora_alpha=16))
    with torch.no_grad():
        for name, weights in wrapped.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                weights.normal_(0, 0.3)
    wrapped.save_pretrained(folder)
    return wrapped.eval()


def test_the_merged_network_is_the_adapted_one(tmp_path):
    """The base is a language model without a head; the head comes with the adapter, and has three outputs."""
    base = checkpoints.dnabert(tmp_path / "base", head=None)
    net = BertForSequenceClassification.from_pretrained(base, num_labels=3)
    wrapped = adapted(net, tmp_path / "adapter", ["query", "value"])
    source = open_checkpoint(tmp_path / "adapter", WINDOW)
    tokens = checkpoints.tokens(base, kmer_words(bases(60), 3))
    with torch.inference_mode():
        expected, found = wrapped(input_ids=tokens).logits, source.network(tokens)
        plain = PeftModel.from_pretrained(
            BertForSequenceClassification.from_pretrained(base, num_labels=3), tmp_path / "adapter"
        )
        with plain.disable_adapter():
            unadapted = plain.eval()(input_ids=tokens).logits
    assert found.shape == (1, 3)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert (found - unadapted).abs().max() > 1e-3
    assert source.card.name == "adapter"
    assert not [name for name, _ in source.network.named_modules() if "lora" in name]


def test_an_adapter_of_dnabert2(tmp_path):
    base = checkpoints.dnabert2(tmp_path / "base")
    net = AlibiBertForSequenceClassification.from_pretrained(base)
    wrapped = adapted(net, tmp_path / "adapter", ["Wqkv", "dense"])
    shutil.copy(base / "tokenizer.json", tmp_path / "adapter")
    shutil.copy(base / "tokenizer_config.json", tmp_path / "adapter")
    source = open_checkpoint(tmp_path / "adapter", WINDOW)
    tokens = checkpoints.tokens(base, bases(60))
    with torch.inference_mode():
        expected = wrapped.base_model.model(tokens).logits  # peft's own call passes what this network does not take
        torch.testing.assert_close(source.network(tokens), expected, atol=1e-5, rtol=1e-5)


def test_the_command_and_a_base_beside_the_adapter(tmp_path):
    base = checkpoints.nucleotide_transformer(tmp_path / "base")
    net = checkpoints.ESM["sequence"].from_pretrained(base)
    adapted(net, tmp_path / "adapter", ["query", "value"])
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "base"  # moved to another machine, side by side
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(config))
    result = invoke("export", tmp_path / "adapter", "-o", tmp_path / "m.onnx", "--window", 60)
    assert result.exit_code == 0, result.stderr
    assert read_card(tmp_path / "m.onnx").input.singles is not None


def test_what_is_missing_is_named(tmp_path):
    base = checkpoints.dnabert(tmp_path / "base")
    net = BertForSequenceClassification.from_pretrained(base)
    adapted(net, tmp_path / "adapter", ["query"])
    file = tmp_path / "adapter" / "adapter_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"base_model_name_or_path": "/no/such/folder"}))
    with pytest.raises(GenoscanError, match="the adapter's base network '/no/such/folder' is not here"):
        open_checkpoint(tmp_path / "adapter", WINDOW)
    file.write_text(json.dumps(config | {"task_type": "CAUSAL_LM"}))
    with pytest.raises(GenoscanError, match="task_type CAUSAL_LM has no head that scores"):
        open_checkpoint(tmp_path / "adapter", WINDOW)
    file.write_text(json.dumps(config))
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(GenoscanError, match=r"adapter_model\.safetensors: no such file"):
        open_checkpoint(tmp_path / "adapter", WINDOW)
