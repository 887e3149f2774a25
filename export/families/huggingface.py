"""Checkpoints as transformers and peft write them: a folder with a config.json or an adapter_config.json."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn

from ...scanner.card import BytePairInput, KmerInput, ModelInput, NucleotideInput, ragged
from ...scanner.encoding.kmers import token_count
from ...scanner.encoding.single_bases import usual_tokens
from ...scanner.errors import GenoscanError, UsageError
from ...training.pretrained.folder import ADAPTER, CONFIG, has_tokenizer, open_tokenizer, read_json
from ...training.pretrained.model_input import input_of_tokenizer, parse_input, scanner_tokens
from ...training.pretrained.networks import head_of, longest_input, transformers_network
from ...training.pretrained.quiet import quiet_transformers
from .adapters import merged_network
from .cards import Head, build_card, output_names, sizes
from .heads import KmersToBins, TokenNetwork, TokensToBins, first_position
from .source import CheckpointSettings, Family, Source

_KMER_WINDOW, _WORD_WINDOW = 512, 600
"""Bases of a window where nobody says: what DNABERT and byte-pair models are mostly fine-tuned on; a hundred 6-mers."""
_FIXED_UNKNOWN, _RAGGED_UNKNOWN = 0.1, 0.5
"""Largest share of N: none of these networks was trained on N; inputs of varying length leave N at the ends out."""


def _recognises(path: Path, settings: CheckpointSettings) -> bool:
    return settings.module is None and path.is_dir() and ((path / CONFIG).is_file() or (path / ADAPTER).is_file())


def _open(path: Path, settings: CheckpointSettings) -> Source:
    with quiet_transformers():
        return _open_quietly(path, settings)


def _open_quietly(path: Path, settings: CheckpointSettings) -> Source:
    if (path / ADAPTER).is_file():
        net, config, tokenizer_folder = merged_network(path, settings)
    else:
        config = read_json(path / CONFIG)
        suffix = None if settings.embeddings else head_of(path, config)
        net, tokenizer_folder = transformers_network(path, config, suffix, settings.trust_remote_code), path
    head = _head(path, net, settings)
    limit = longest_input(net, config)
    spec = _input(tokenizer_folder, settings, limit)
    window, step = sizes(settings, _default_window(spec, limit))
    _check_tokens(spec, net, path)
    _check_window(spec, window, limit, path)
    bin = settings.bin or _default_bin(spec)
    pad = spec.pad if isinstance(spec, BytePairInput) else None
    network: nn.Module = TokenNetwork(net, pad, settings.embeddings, first_position(net))
    if head.task == "segmentation":
        network = _per_bin(network, spec, window, bin, tokenizer_folder)
    unknown = _RAGGED_UNKNOWN if ragged(spec) else _FIXED_UNKNOWN
    name = path.parent.parent.name.rpartition("--")[2] if path.parent.name == "snapshots" else path.resolve().name
    card = build_card(name, head, spec, window, step, bin, unknown, settings)
    notes = () if settings.window else (f"window of {window} bases: say --window N if it was trained on another",)
    network.eval()
    return Source(path, network, lambda _: network, card, notes=notes)


def _head(path: Path, net: nn.Module, settings: CheckpointSettings) -> Head:
    """What the outputs are, as transformers itself would have trained them."""
    config = net.config
    if settings.embeddings:
        names = [f"embedding_{number}" for number in range(config.hidden_size)]
        return Head("regression", "identity", output_names(names, settings, config.hidden_size, str(path)))
    count = config.num_labels
    labels = [str(config.id2label[number]) for number in range(count)]
    names = output_names(labels, settings, count, str(path))
    if type(net).__name__.endswith("ForTokenClassification"):
        return Head("segmentation", settings.activation or ("softmax" if count > 1 else "sigmoid"), names)
    kind = getattr(config, "problem_type", None) or ("regression" if count == 1 else "single_label_classification")
    task = settings.task or ("regression" if kind == "regression" else "classification")
    if task == "segmentation":
        raise UsageError(f"--task segmentation: {path} has one score a sequence, and no head for each token")
    if task == "regression":
        return Head(task, settings.activation or "identity", names)
    many = count > 1 and kind != "multi_label_classification"
    return Head(task, settings.activation or ("softmax" if many else "sigmoid"), names)


def _input(folder: Path, settings: CheckpointSettings, limit: int | None) -> ModelInput:
    """The card's input: what the tokenizer does, or what the user says where there is none or more than it tells."""
    said = parse_input(settings.input) if settings.input else None
    if isinstance(said, NucleotideInput):
        if said.layout == "one-hot":
            raise UsageError(f"--input {settings.input}: a network of transformers reads tokens")
        return said
    if said is not None and ("," in settings.input or not has_tokenizer(folder)):
        return said
    found = input_of_tokenizer(
        open_tokenizer(folder, settings.trust_remote_code), str(folder), limit, None if said is None else said.stride
    )
    if said is not None and found.k != said.k:
        raise UsageError(f"--input {settings.input}: the tokenizer of {folder} has {found.k}-mers")
    return found


def _default_window(spec: ModelInput, limit: int | None) -> int:
    if isinstance(spec, KmerInput) and spec.singles is None:
        if limit is None:
            return _KMER_WINDOW
        most = (limit - len(spec.prefix) - len(spec.suffix) - 1) * spec.stride + spec.k
        return min(_KMER_WINDOW, most)
    if isinstance(spec, KmerInput):
        return _WORD_WINDOW if limit is None else min(_WORD_WINDOW, (limit - len(spec.prefix)) * spec.k)
    return _KMER_WINDOW


def _check_tokens(spec: ModelInput, net: nn.Module, path: Path) -> None:
    """The network must know every token that can come."""
    if isinstance(spec, NucleotideInput):
        highest = 4
    elif isinstance(spec, BytePairInput):
        words = Tokenizer.from_str(spec.tokenizer).get_vocab()
        highest = max(spec.pad, *(number for word, number in words.items() if set(word) <= set("ACGTN")))
    else:
        numbers = (spec.unknown, *spec.prefix, *spec.suffix, *(spec.singles or ()))
        highest = max(spec.offset + 4**spec.k - 1, *numbers)
    known = net.get_input_embeddings().num_embeddings
    if highest >= known:
        raise GenoscanError(
            f"{path}: token {highest} can come, and the network knows {known}: it has another tokenizer, or --input is "
            "wrong"
        )


def _check_window(spec: ModelInput, window: int, limit: int | None, path: Path) -> None:
    """The network must be able to read windows of this size."""
    if isinstance(spec, NucleotideInput):
        tokens = window
    elif isinstance(spec, BytePairInput):
        tokens = max(len(scanner_tokens(spec, one, str(path))) for one in _sequences(window))
    else:
        tokens = token_count(window, spec) if spec.singles is None else usual_tokens(window, spec)
    if isinstance(spec, KmerInput) and window < spec.k:
        raise UsageError(f"--window {window}: {path} reads {spec.k}-mers")
    if limit is not None and tokens > limit:
        raise UsageError(
            f"--window {window}: these are {tokens} tokens, and {path} reads at most {limit}: give a smaller one"
        )


def _sequences(window: int) -> Iterator[str]:
    """Sequences at random, which make more tokens than a genome's."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        yield "".join("ACGT"[code] for code in torch.randint(0, 4, (window,), generator=generator).tolist())


def _default_bin(spec: ModelInput) -> int:
    return spec.stride if isinstance(spec, KmerInput) else 1


def _per_bin(network: nn.Module, spec: ModelInput, window: int, bin: int, folder: Path) -> nn.Module:
    if isinstance(spec, NucleotideInput):
        spec = KmerInput(k=1, stride=1, unknown=4)
    if window % bin:
        raise UsageError(f"--bin {bin}: must divide the window of {window} bases")
    if isinstance(spec, KmerInput) and spec.singles is None:
        return KmersToBins(network, spec, window, bin)
    lengths = _token_lengths(spec, folder, network)
    return TokensToBins(network, lengths, window, bin)


def _token_lengths(spec: KmerInput | BytePairInput, folder: Path, network: nn.Module) -> torch.Tensor:
    """int64 (vocabulary,): bases of each token, checked on sequences with unknown bases."""
    size = max(one.num_embeddings for one in network.modules() if isinstance(one, nn.Embedding))
    lengths = torch.zeros(size, dtype=torch.long)
    if isinstance(spec, KmerInput):
        lengths[spec.offset : spec.offset + 4**spec.k] = spec.k
        lengths[list(spec.singles)] = 1
        lengths[list(spec.prefix + spec.suffix)] = 0
    else:
        tokenizer = Tokenizer.from_str(spec.tokenizer)
        for token, number in tokenizer.get_vocab().items():
            bases = sum(letter in "ACGTN" for letter in token)
            lengths[number] = bases if set(token) <= set("ACGTN#") else 0
        unknown = set(scanner_tokens(spec, "ACGNACGT", str(folder))) - set(scanner_tokens(spec, "ACGACGT", str(folder)))
        for number in unknown:
            lengths[number] = lengths[number] or 1
    for sequence in ("ACGTTGCANACGTTNNNACGTAC", *_sequences(100)):
        if int(lengths[scanner_tokens(spec, sequence, str(folder))].sum()) != len(sequence):
            raise GenoscanError(f"{folder}: its tokens do not say which bases they stand for, so no base has a score")
    return lengths


TRANSFORMERS = Family("a folder of transformers or peft, or its name on the Hugging Face hub", _recognises, _open)
