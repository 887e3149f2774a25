"""Which weights each way changes, and that what is saved is what was trained, without adapters."""

import checkpoints
import pytest
import torch
from labelled import KMER_BERT, write_recipe

from genoscan.scanner.errors import GenoscanError, UsageError
from genoscan.training.supervised.networks import build_network, layers_of, restore_network, save_network
from genoscan.training.supervised.recipe import load_sequence_recipe
from genoscan.training.supervised.trainer import changing_weights
from genoscan.training.supervised.ways import adapt, trainable

FAMILIES = {"dnabert": "bert", "nucleotide_transformer": "esm", "dnabert2": "bert"}
TOKENS = torch.tensor([[2, 7, 8, 9, 10, 3]])


def built(tmp_path, way, net=None, family=None, *changes):
    path = write_recipe(tmp_path / "r.toml", net=net)
    if family:
        folder = getattr(checkpoints, family)(tmp_path / family, num_hidden_layers=2)
        changes = ("net.kind=transformers", f"net.checkpoint={folder}", *changes)
    recipe = load_sequence_recipe(path, [*changes, f"adapt.way={way}"])
    torch.manual_seed(0)
    return recipe, build_network(recipe.net, ("a", "b", "c"), regression=True, fresh=way == "scratch")


def trained(network):
    return {name for name, one in network.module.named_parameters() if one.requires_grad}


@pytest.mark.parametrize("family", FAMILIES)
def test_frozen_layers(tmp_path, family):
    recipe, network = built(tmp_path, "frozen", None, family)
    every = set(dict(network.module.named_parameters()))
    predictor = adapt(network, recipe.adapt).predictor
    assert not [name for name in trained(network) if "embeddings" in name or "encoder.layer" in name]
    assert {name for name in every if name.startswith("classifier")} <= trained(network)
    predictor.train()
    assert not any(layer.training for layer in network.layers)
    assert network.module.get_submodule(network.head).training


def test_the_first_layers_are_frozen_with_what_is_before_them(tmp_path):
    recipe, network = built(tmp_path, "frozen", KMER_BERT, None)
    recipe = load_sequence_recipe(tmp_path / "r.toml", ["adapt.way=frozen", "adapt.layers=1"])
    adapt(network, recipe.adapt)
    assert not [name for name in trained(network) if "embeddings" in name or "layer.0." in name]
    assert len([name for name in trained(network) if "layer.1." in name]) == 16
    too_many = load_sequence_recipe(tmp_path / "r.toml", ["adapt.way=frozen", "adapt.layers=3"])
    with pytest.raises(UsageError, match=r"adapt\.layers: 3 layers to freeze, and the network has 2"):
        adapt(network, too_many.adapt)


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_start_as_the_network_and_are_merged(tmp_path, family):
    recipe, network = built(tmp_path, "lora", None, family)
    network.module.eval()
    whole = sum(one.numel() for one in network.module.parameters())
    before = network.module(input_ids=TOKENS, attention_mask=torch.ones_like(TOKENS)).logits.detach()
    adapted = adapt(network, recipe.adapt)
    predictor = adapted.predictor.eval()
    torch.testing.assert_close(predictor(TOKENS, torch.ones_like(TOKENS)), before)
    assert 0 < trainable(predictor) < whole
    names = [name for name, one in predictor.named_parameters() if one.requires_grad]
    assert all("lora_" in name or "classifier" in name or "pooler" in name for name in names)
    assert any("lora_" in name for name in names)
    with torch.no_grad():
        for name, one in predictor.named_parameters():
            if "lora_" in name:
                one.normal_(0, 0.3)
    after = predictor(TOKENS, torch.ones_like(TOKENS)).detach()
    assert (after - before).abs().max() > 1e-3
    plain = adapted.plain().eval()
    assert not [name for name in plain.state_dict() if "lora" in name or "original_module" in name]
    torch.testing.assert_close(
        plain(input_ids=TOKENS, attention_mask=torch.ones_like(TOKENS)).logits, after, atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close(predictor(TOKENS, torch.ones_like(TOKENS)), after)  # the trained one is left alone


def test_adapters_of_convolutions(tmp_path):
    recipe, network = built(tmp_path, "lora")
    bases = torch.randn(2, 4, 40)
    adapted = adapt(network, recipe.adapt)
    with torch.no_grad():
        for name, one in adapted.predictor.named_parameters():
            if "lora_" in name:
                one.normal_(0, 0.3)
    after = adapted.predictor.eval()(bases)
    torch.testing.assert_close(adapted.plain().eval()(bases), after, atol=1e-5, rtol=1e-4)
    recipe = load_sequence_recipe(tmp_path / "r.toml", ["adapt.way=lora", 'adapt.targets=["nothing"]'])
    with pytest.raises(UsageError, match=r"adapt\.targets: no linear layer or convolution is named nothing"):
        adapt(built(tmp_path, "lora")[1], recipe.adapt)


def test_a_checkpoint_holds_what_is_trained_and_buffers(tmp_path):
    recipe, network = built(tmp_path, "frozen")
    predictor = adapt(network, recipe.adapt).predictor
    names = set(changing_weights(predictor))
    assert "net.head.weight" in names
    assert "net.blocks.0.1.running_mean" in names
    assert "net.blocks.0.0.weight" not in names


@pytest.mark.parametrize("family", [*FAMILIES, "grover"])
def test_a_saved_network_is_restored(tmp_path, family):
    recipe, network = built(tmp_path, "full", None, family)
    save_network(network, network.module, tmp_path / "saved")
    again = restore_network(recipe.net, 3, tmp_path / "saved")
    inputs = {"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS)}
    torch.testing.assert_close(again(**inputs).logits, network.module.eval()(**inputs).logits)
    assert (tmp_path / "saved" / "tokenizer_config.json").is_file()


def test_scratch_takes_the_architecture_only(tmp_path):
    _, old = built(tmp_path, "full", None, "dnabert")
    _, new = built(tmp_path, "scratch", None, "dnabert")
    assert {name: one.shape for name, one in old.module.named_parameters()} == {
        name: one.shape for name, one in new.module.named_parameters()
    }
    one, other = (layers_of(network.module)[0].attention.self.query.weight for network in (old, new))
    assert (one - other).abs().max() > 0.01


def test_damaged_and_missing_networks_are_named(tmp_path):
    recipe, _ = built(tmp_path, "scratch")
    with pytest.raises(GenoscanError, match="saved: not a network of `genoscan train`, or a damaged one"):
        restore_network(recipe.net, 3, tmp_path / "saved")
    with pytest.raises(UsageError, match="nothing here: no such checkpoint"):
        built(tmp_path, "full", None, None, "net.kind=transformers", "net.checkpoint=nothing here")
