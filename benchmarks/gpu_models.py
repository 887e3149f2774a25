"""The models of the GPU benchmark, each in fp32 and fp16, with their batch sizes, and the genome that they scan."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from gpu_measure import Json, attempt

from genoscan.scanner.card import CARD_KEY, Calling, KmerInput, ModelCard, Output
from genoscan.scanner.catalogue import find_model, for_device
from genoscan.scanner.inference.session import read_card
from genoscan.training.data.demo import fasta_record
from genoscan.training.data.simulate import RepeatSimulation, random_table, simulate

PRECISIONS = ("fp32", "fp16")
BATCHES = {"repeats": (8, 16, 32, 64, 128), "kmer-bert": (64, 128, 256, 512, 1024, 2048)}
SMALL_BATCHES, TENSORRT_BATCHES = (1, 2), (64,)
WHOLE, LITTLE = (512, 6, 8), (32, 2, 4)
"""Width, layers and heads of the k-mer BERT, and of the one that the script is tried with."""


def bert_card(window: int) -> ModelCard:
    return ModelCard(
        name="kmer-bert",
        version="1",
        task="classification",
        input=KmerInput(k=3, stride=1, offset=5, unknown=1, prefix=(2,), suffix=(3,)),
        window=window,
        step=window,
        context=0,
        strand="forward",
        output=Output(names=tuple(f"tissue{one}" for one in range(39)), activation="softmax", bin=window),
        calling=Calling(threshold=0.2, extend=0.2),
    )


def bert(width: int, layers: int, heads: int, tokens: int, outputs: int):
    """A BERT with seeded random weights: post-norm, GELU, pooled first token; without a mask, as windows are full."""
    import torch
    from torch import nn

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.value, self.mix = (nn.Linear(width, width) for _ in range(4))
            self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)

        def forward(self, x):
            query, key, value = (
                part(x).unflatten(2, (heads, width // heads)).transpose(1, 2)
                for part in (self.query, self.key, self.value)
            )
            weights = torch.softmax(query @ key.transpose(2, 3) * (width // heads) ** -0.5, dim=-1)
            x = self.first(x + self.mix((weights @ value).transpose(1, 2).flatten(2)))
            return self.second(x + self.narrow(nn.functional.gelu(self.wide(x))))

    class Bert(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places = nn.Embedding(69, width), nn.Parameter(torch.randn(tokens, width))
            self.norm, self.layers = nn.LayerNorm(width), nn.ModuleList(Layer() for _ in range(layers))
            self.pool, self.out = nn.Linear(width, width), nn.Linear(width, outputs)

        def forward(self, input_ids):
            x = self.norm(self.words(input_ids) + self.places)
            for layer in self.layers:
                x = layer(x)
            return self.out(torch.tanh(self.pool(x[:, 0])))

    torch.manual_seed(0)
    network = Bert()
    for name, weight in network.named_parameters():
        if name.endswith(".weight") and weight.dim() == 2 and not name.startswith("words"):
            # Larger than a network starts with: attention that chooses and scores that differ from window to window.
            gain = 2 if name.split(".")[-2] in ("query", "key", "out") else 1
            nn.init.normal_(weight, std=gain * weight.shape[1] ** -0.5)
    return network


def write_bert(path: Path, small: bool) -> Json:
    import torch

    from genoscan.export.fusion import fuse_attention
    from genoscan.export.precision import set_metadata
    from genoscan.export.tracing import to_onnx

    card = bert_card(30 if small else 150)
    width, layers, heads = LITTLE if small else WHOLE
    network = bert(width, layers, heads, card.window, len(card.output.names))
    example = torch.full((2, card.window), 5, dtype=torch.int64)
    model = to_onnx(network, (example,), {0: "batch"}, ("input_ids",))
    for place, graph in ((path, fuse_attention(model)), (for_tensorrt(path), model)):
        set_metadata(graph, {CARD_KEY: card.to_json()})
        place.write_bytes(graph.SerializeToString())
    return {"parameters": sum(one.numel() for one in network.parameters())}


def for_tensorrt(path: Path) -> Path:
    """Where the same model lies in standard ONNX, if it has operators that are ONNX Runtime's own."""
    return path.with_suffix(".tensorrt.onnx")


def write_repeats(path: Path, name: str) -> Json:
    """The fp32 model in the file ``name``, or of a bundled model its variant for GPUs with all numbers in fp32."""
    import onnx

    source = for_device(find_model(name), "cuda")
    card = read_card(source)
    model = onnx.load(source)
    if card.provenance.precision == "fp16":
        to_fp32(model)
    elif card.provenance.precision != "fp32":
        raise ValueError(f"{source} is {card.provenance.precision}: name an fp32 or fp16 export with --repeats")
    path.write_bytes(model.SerializeToString())
    return {"version": card.version, "from": card.provenance.precision}


def to_fp32(model) -> None:
    """Let a half-precision graph compute in single precision, with the numbers that it has."""
    from onnx import TensorProto, numpy_helper

    def widened(tensor) -> None:
        if tensor.data_type == TensorProto.FLOAT16:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))

    for tensor in model.graph.initializer:
        widened(tensor)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                widened(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
    del model.graph.value_info[:]


def write_fp16(path: Path, source: Path, bundled: str | None = None) -> Json:
    """The fp32 model in ``source`` in half precision, or the model named ``bundled`` if it is that already."""
    import onnx

    from genoscan.export.precision import set_metadata, to_fp16

    ready = None if bundled is None else for_device(find_model(bundled), "cuda")
    if ready is not None and read_card(ready).provenance.precision == "fp16":
        path.write_bytes(ready.read_bytes())
        return {"bytes": path.stat().st_size}
    card = read_card(source)
    half = card.model_copy(update={"provenance": card.provenance.model_copy(update={"precision": "fp16"})})
    model = to_fp16(onnx.load(source))
    set_metadata(model, {CARD_KEY: half.to_json()})
    path.write_bytes(model.SerializeToString())
    return {"bytes": path.stat().st_size}


def write_genome(path: Path, bases: int) -> Json:
    """Contigs of 8 Mb or less; every fourth one is new, the others repeat it."""
    generator, size = np.random.default_rng(1), min(bases, 8_000_000)
    with path.open("wb") as fasta:
        for number in range(bases // size):
            if number % 4 == 0:
                codes = simulate(generator, size, RepeatSimulation(), random_table(generator))[0]
            fasta.write(fasta_record(f"contig{number}", codes))
    return {"bases": bases // size * size}


def prepare(settings: argparse.Namespace, folder: Path, save: Callable[[Json], None]) -> None:
    """Every model file and the genome, each guarded."""
    done: Json = {}
    for model in settings.models:
        path = {precision: folder / f"{model}-{precision}.onnx" for precision in PRECISIONS}
        if model == "repeats":
            done[path["fp32"].stem] = attempt(lambda: write_repeats(path["fp32"], settings.repeats))  # noqa: B023
        else:
            done[path["fp32"].stem] = attempt(lambda: write_bert(path["fp32"], settings.small))  # noqa: B023
        bundled = settings.repeats if model == "repeats" else None
        done[path["fp16"].stem] = attempt(lambda: write_fp16(path["fp16"], path["fp32"], bundled))  # noqa: B023
        twins = {precision: for_tensorrt(one) for precision, one in path.items()}
        if twins["fp32"].exists():
            done[twins["fp16"].stem] = attempt(lambda: write_fp16(twins["fp16"], twins["fp32"]))  # noqa: B023
        save(done)
    if settings.genome is None:
        done["genome"] = attempt(lambda: write_genome(folder / "genome.fa", 400_000 if settings.small else 256_000_000))
        save(done)
