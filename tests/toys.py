"""Small ONNX models whose answers are known by hand, each with its card: serialized, ready for a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from genoscan.scanner.card import (
    CARD_KEY,
    Calling,
    KmerInput,
    KmerMethylationInput,
    ModelCard,
    NucleotideInput,
    Output,
)
from genoscan.scanner.encoding.kmers import token_count

OPSET, IR_VERSION = 18, 10
LETTERS = "ACGT"
CALLING = Calling(threshold=0.5, extend=0.5)


def write(path: Path, model: bytes) -> Path:
    """Write a model to a file and return its path."""
    path = Path(path)
    path.write_bytes(model)
    return path


class Graph:
    """Nodes and constants of a graph with one output, collected call by call."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def __call__(self, operator: str, *inputs: str, **attributes) -> str:
        """Add a node and return the name of its output."""
        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, values, dtype=np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def serialize(self, card: ModelCard, source, output: str, output_shape, *more) -> bytes:
        """The finished model; ``source`` is (name, element type, shape) of the input, ``more`` are further ones."""
        self.nodes.append(helper.make_node("Identity", [output], ["logits"]))
        graph = helper.make_graph(
            self.nodes,
            card.name,
            [helper.make_tensor_value_info(*one) for one in (source, *more)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, output_shape)],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        helper.set_model_props(model, {CARD_KEY: card.to_json()})
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()


def _one_hot_source(window: int | str):
    return "sequence", TensorProto.FLOAT, ["batch", 4, window]


def gc_model(window: int, step: int, *, strand: str = "symmetric", **card_fields) -> bytes:
    """Regression: G and C bases of the window divided by ``window`` (N counts as neither)."""
    card = ModelCard(
        name="gc",
        version="1",
        task="regression",
        input=NucleotideInput(),
        window=window,
        step=step,
        context=(window - step) // 2,
        strand=strand,
        output=Output(names=("gc",), activation="identity", bin=step),
        calling=Calling(threshold=0.5, extend=0.5),
        **card_fields,
    )
    graph = Graph()
    both = graph("Slice", "sequence", graph.ints(1), graph.ints(3), graph.ints(1))
    count = graph("ReduceSum", both, graph.ints(1, 2), keepdims=0)
    share = graph("Div", count, graph.constant(window))
    return graph.serialize(
        card, _one_hot_source(window), graph("Unsqueeze", share, graph.ints(1)), ["batch", len(card.output.names)]
    )


def base_model(
    letter: str,
    step: int,
    context: int,
    bin: int = 1,
    *,
    strand: str = "forward",
    shortest_window: int | None = None,
    calling: Calling = CALLING,
    **card_fields,
) -> bytes:
    """Segmentation: the share of ``letter`` among the bases of each bin; with bin 1, 1 at that letter and 0 elsewhere.

    With strand "both", the score on - at a place is that of the letter's complement on +.
    """
    card = ModelCard(
        name=f"base-{letter}",
        version="1",
        task="segmentation",
        input=NucleotideInput(),
        window=step + 2 * context,
        step=step,
        context=context,
        shortest_window=shortest_window,
        strand=strand,
        output=Output(names=(letter,), activation="identity", bin=bin),
        calling=calling,
        **card_fields,
    )
    graph, channel = Graph(), LETTERS.index(letter)
    chosen = graph("Slice", "sequence", graph.ints(channel), graph.ints(channel + 1), graph.ints(1))
    if bin > 1:
        chosen = graph("AveragePool", chosen, kernel_shape=[bin], strides=[bin])
    output = graph("Transpose", chosen, perm=[0, 2, 1])
    window = card.window if shortest_window is None else "window"
    bins = card.window // bin if shortest_window is None else "bins"
    return graph.serialize(card, _one_hot_source(window), output, ["batch", bins, 1])


def known_model(step: int, context: int, **calling) -> bytes:
    """Segmentation: 1 at every known base, so that what lies between two N is a call, annotated as a tandem repeat."""
    card = ModelCard(
        name="known",
        version="1",
        task="segmentation",
        input=NucleotideInput(),
        window=step + 2 * context,
        step=step,
        context=context,
        strand="symmetric",
        output=Output(names=("known",), activation="identity", bin=1),
        calling=Calling(threshold=0.5, extend=0.5, annotation="tandem-repeat", **calling),
    )
    graph = Graph()
    output = graph("Transpose", graph("ReduceSum", "sequence", graph.ints(1), keepdims=1), perm=[0, 2, 1])
    return graph.serialize(card, _one_hot_source(card.window), output, ["batch", card.window, 1])


def motif_model(
    motif: str,
    step: int,
    context: int | None = None,
    task: str = "segmentation",
    *,
    strand: str = "both",
    **card_fields,
) -> bytes:
    """1 where ``motif`` starts, 0 elsewhere (segmentation); 1 if it starts in the window's step (classification).

    On - the motif starts at its rightmost base: where the reverse complement of the motif lies at start..end of the
    contig, the score is 1 at base end - 1. ``context`` must hold the rest of a motif that starts at the step's last
    base (this is the default).
    """
    rest = len(motif) - 1
    context = rest if context is None else context
    if context < rest:
        raise ValueError(f"a context of {context} bases is too short for a motif of {len(motif)}")
    segmentation = task == "segmentation"
    card = ModelCard(
        name=f"motif-{motif}",
        version="1",
        task=task,
        input=NucleotideInput(),
        window=step + 2 * context,
        step=step,
        context=context,
        strand=strand,
        output=Output(names=(motif,), activation="identity", bin=1 if segmentation else step),
        calling=Calling(threshold=0.5, extend=0.5),
        **card_fields,
    )
    graph = Graph()
    weight = np.eye(4, dtype=np.float32)[[LETTERS.index(letter) for letter in motif]].T[None]
    matches = graph("Conv", "sequence", graph.constant(weight), kernel_shape=[len(motif)], pads=[0, rest])
    found = graph("Relu", graph("Sub", matches, graph.constant(rest)))
    if segmentation:
        output, shape = graph("Transpose", found, perm=[0, 2, 1]), ["batch", card.window, 1]
    else:
        middle = graph("Slice", found, graph.ints(context), graph.ints(context + step), graph.ints(2))
        output, shape = graph("ReduceMax", middle, graph.ints(2), keepdims=0), ["batch", 1]
    return graph.serialize(card, _one_hot_source(card.window), output, shape)


def kmer_bert(
    k: int = 3,
    layers: int = 2,
    width: int = 32,
    heads: int = 4,
    window: int = 128,
    seed: int = 0,
    *,
    stride: int = 1,
    strand: str = "both",
    **card_fields,
) -> bytes:
    """Classification by a BERT with random weights over k-mers as DNABERT numbers them, softmax over two outputs.

    Tokens are PAD 0, UNK 1, CLS 2, SEP 3, MASK 4 and the 4**k k-mers in the order ACGT; post-norm encoder layers,
    GELU with erf, the pooled CLS token in front of the classifier.
    """
    spec = KmerInput(k=k, stride=stride, offset=5, unknown=1, prefix=(2,), suffix=(3,))
    card = ModelCard(
        name=f"kmer-bert-{k}",
        version="1",
        task="classification",
        input=spec,
        window=window,
        step=window,
        context=0,
        strand=strand,
        output=Output(names=("other", "signal"), activation="softmax", bin=window, called=("signal",)),
        calling=Calling(threshold=0.5, extend=0.5),
        **card_fields,
    )
    tokens, random, graph = token_count(window, spec), np.random.default_rng(seed), Graph()

    def dense(x: str, inputs: int, outputs: int) -> str:
        weight = graph.constant(random.normal(0, inputs**-0.5, (inputs, outputs)))
        return graph("Add", graph("MatMul", x, weight), graph.constant(random.normal(0, 0.1, outputs)))

    def normalized(x: str) -> str:
        return graph(
            "LayerNormalization", x, graph.constant(np.ones(width)), graph.constant(np.zeros(width)), epsilon=1e-12
        )

    def head_split(x: str, order: list[int]) -> str:
        return graph("Transpose", graph("Reshape", x, graph.ints(0, tokens, heads, width // heads)), perm=order)

    def attention(x: str) -> str:
        query = head_split(dense(x, width, width), [0, 2, 1, 3])
        key = head_split(dense(x, width, width), [0, 2, 3, 1])
        value = head_split(dense(x, width, width), [0, 2, 1, 3])
        scores = graph("Mul", graph("MatMul", query, key), graph.constant((width // heads) ** -0.5))
        mixed = graph("MatMul", graph("Softmax", scores, axis=-1), value)
        merged = graph("Reshape", graph("Transpose", mixed, perm=[0, 2, 1, 3]), graph.ints(0, tokens, width))
        return dense(merged, width, width)

    def gelu(x: str) -> str:
        spread = graph("Add", graph("Erf", graph("Mul", x, graph.constant(0.5**0.5))), graph.constant(1))
        return graph("Mul", graph("Mul", x, graph.constant(0.5)), spread)

    words = graph("Gather", graph.constant(random.normal(0, 1, (5 + 4**k, width))), "input_ids")
    x = normalized(graph("Add", words, graph.constant(random.normal(0, 1, (tokens, width)))))
    for _ in range(layers):
        x = normalized(graph("Add", x, attention(x)))
        x = normalized(graph("Add", x, dense(gelu(dense(x, width, 4 * width)), 4 * width, width)))
    cls = graph("Gather", x, graph.constant(0, np.int64), axis=1)
    logits = dense(graph("Tanh", dense(cls, width, width)), width, len(card.output.names))
    source = "input_ids", TensorProto.INT64, ["batch", tokens]
    return graph.serialize(card, source, logits, ["batch", len(card.output.names)])


def read_model(
    window: int = 20, k: int = 3, names: tuple[str, ...] = ("methylated", "unmethylated"), **card_fields
) -> bytes:
    """Of reads: the logits of its two classes are how many CpGs of the read are methylated, and how many are not, both
    doubled.

    Tokens are those of `kmer_bert`. Tokens of 3-mers that hold an unknown base take 1 from the first class's logit.
    """
    spec = KmerMethylationInput(k=k, offset=5, unknown=1, prefix=(2,), suffix=(3,))
    card_fields = {"calling": Calling(threshold=0.5, extend=0.1, min_evidence=0.5), **card_fields}
    prior = card_fields.pop("prior", ())
    card = ModelCard(
        name="reads",
        version="1",
        task="read-classification",
        input=spec,
        window=window,
        step=window,
        context=0,
        strand="forward",
        output=Output(names=names, activation="softmax", bin=window, prior=prior),
        **card_fields,
    )
    tokens, graph = token_count(window, spec.kmers), Graph()

    def count(tensor: str, value: int, weight: float) -> str:
        same = graph("Cast", graph("Equal", tensor, graph.constant(value, np.int64)), to=TensorProto.FLOAT)
        return graph("Mul", graph("ReduceSum", same, graph.ints(1), keepdims=1), graph.constant(weight))

    first = graph("Sub", count("methylation", 1, 2.0), count("tokens", 1, 1.0))
    logits = graph("Concat", first, count("methylation", 0, 2.0), axis=1)
    sources = [(name, TensorProto.INT64, ["batch", tokens]) for name in ("tokens", "methylation")]
    return graph.serialize(card, sources[0], logits, ["batch", 2], sources[1])
