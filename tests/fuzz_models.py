"""Model files for the fuzzers: toys, changed here or there in their structure, or spoilt."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import fuzz_inputs as inputs
import onnx
import toys
from fuzz_commands import CommandLine, check_command
from hypothesis import strategies as st
from onnx import TensorProto, helper

from genoscan.scanner.card import CARD_KEY


@cache
def _models() -> tuple[bytes, ...]:
    return (
        toys.gc_model(8, 4), toys.base_model("G", 16, 8, 4),
        toys.base_model("A", 32, 16, strand="both", shortest_window=16), toys.motif_model("GGC", 16),
        toys.motif_model("ACG", 8, task="classification"), toys.kmer_bert(2, 1, 8, 2, 16),
    )  # fmt: skip


def _change_the_card(draw: inputs.Draw, model: onnx.ModelProto) -> None:
    text = next(one.value for one in model.metadata_props if one.key == CARD_KEY)
    how = draw(st.sampled_from(["field", "field", "field", "other", "bytes", "none", "key"]))
    if how == "field":
        fields = json.loads(text)
        inputs.change_a_field(draw, fields)
        text = json.dumps(fields)
    elif how == "other":
        text = draw(inputs.card_texts())
    elif how == "bytes":
        text = draw(inputs.spoilt(st.just(text.encode()), (1,))).decode(errors="replace")
    helper.set_model_props(model, {} if how == "none" else {CARD_KEY + "x" * (how == "key"): text})


def _retune(draw: inputs.Draw, model: onnx.ModelProto) -> None:
    """Other values for what a card may well say otherwise."""
    fields = json.loads(next(one.value for one in model.metadata_props if one.key == CARD_KEY))
    low, high = sorted((draw(st.floats(-1, 2)), draw(st.floats(-1, 2))))
    fields["calling"] = {"threshold": high, "extend": low, "gap": draw(st.integers(0, 40)), "min_length": draw(_FEW)}
    fields["max_unknown"] = draw(st.floats(0, 1))
    fields["track"] = {"name": draw(st.sampled_from(["", "a call"])), "score_range": [low - 1, high]}
    fields["strand"] = draw(st.sampled_from(["both", "forward", "symmetric"]))
    if fields["strand"] != "both":
        fields["calling"]["annotation"] = draw(st.sampled_from([None, "tandem-repeat"]))
    helper.set_model_props(model, {CARD_KEY: json.dumps(fields)})


_FEW = st.integers(1, 40)


def _change_a_shape(draw: inputs.Draw, model: onnx.ModelProto) -> None:
    value = draw(st.sampled_from([*model.graph.input, *model.graph.output]))
    kind = value.type.tensor_type
    if draw(st.booleans()):
        kind.elem_type = draw(st.sampled_from([0, 1, 2, 6, 7, 8, 9, 10, 11, 16, 99]))
    elif kind.shape.dim:
        dim = draw(st.sampled_from(list(kind.shape.dim)))
        if draw(st.booleans()):
            dim.dim_value = draw(st.sampled_from((0, 1, 2, 3, 4, 8, 16, -1, 2**31, 2**62)))
        else:
            dim.dim_param = draw(st.sampled_from(("", "batch", "n", "é")))
    else:
        kind.shape.dim.add().dim_value = 1


_OPERATORS = (
    "Identity", "Neg", "Sqrt", "Log", "Shape", "Cast", "Transpose", "Nix", "Relu", "ReduceMax", "Exp", "Not", "NonZero",
    "Squeeze", "Flatten", "Loop", "If",
)  # fmt: skip


def _change_a_node(draw: inputs.Draw, model: onnx.ModelProto) -> None:
    nodes = model.graph.node
    node = draw(st.sampled_from(list(nodes)))
    how = draw(st.sampled_from(["type", "remove", "rename", "attribute", "repeat", "domain", "input"]))
    if how == "type":
        node.op_type = draw(st.sampled_from(_OPERATORS))
    elif how == "remove":
        nodes.remove(node)
    elif how == "rename" and node.output:
        node.output[0] = draw(st.sampled_from(["", "logits", "sequence", "x"]))
    elif how == "attribute" and node.attribute:
        attribute = draw(st.sampled_from(list(node.attribute)))
        value = draw(st.sampled_from((0, 1, 2, -1, 3, 2**31, 2**62)))
        if attribute.ints:
            attribute.ints[draw(st.integers(0, len(attribute.ints) - 1))] = value
        else:
            attribute.i = value
    elif how == "repeat":
        nodes.add().CopyFrom(node)
    elif how == "domain":
        node.domain = draw(st.sampled_from(["com.microsoft", "nix", "ai.onnx.ml"]))
    elif how == "input" and node.input:
        node.input[0] = draw(st.sampled_from(["", "sequence", "constant_0", "nix"]))


def _change_a_constant(draw: inputs.Draw, model: onnx.ModelProto) -> None:
    constant = draw(st.sampled_from(list(model.graph.initializer)))
    how = draw(st.sampled_from(["data"] * 6 + ["dims", "type", "remove", "external"]))
    if how == "data":
        constant.raw_data = draw(inputs.flipped(constant.raw_data))
    elif how == "dims":
        constant.dims[:] = draw(st.lists(st.sampled_from((0, 1, 2, 4, -1, 2**31, 2**62)), max_size=3))
    elif how == "type":
        constant.data_type = draw(st.sampled_from([0, 1, 6, 7, 8, 9, 10, 11, 99]))
    elif how == "remove":
        model.graph.initializer.remove(constant)
    else:
        constant.data_location = TensorProto.EXTERNAL
        entry = constant.external_data.add()
        entry.key, entry.value = "location", draw(st.sampled_from(["genome.fa", "../x", "x" * 300, ""]))


def _change_the_frame(draw: inputs.Draw, model: onnx.ModelProto) -> None:
    how = draw(
        st.sampled_from(["ir", "opset", "no-opset", "output", "input", "no-output", "no-input", "twice", "name"])
    )
    if how == "ir":
        model.ir_version = draw(st.sampled_from((0, 1, 3, 8, 11, 99, 2**40)))
    elif how == "opset":
        model.opset_import[0].version = draw(st.sampled_from((0, 1, 7, 11, 13, 17, 21, 99, -1)))
    elif how in ("no-opset", "no-output", "no-input"):
        parts = {"no-opset": model.opset_import, "no-output": model.graph.output, "no-input": model.graph.input}
        del parts[how][:]
    elif how in ("output", "input"):
        parts = {"output": model.graph.output, "input": model.graph.input}
        parts[how].add().CopyFrom(parts[how][0])
        parts[how][-1].name = draw(st.sampled_from(["mask", "gather_0", "slice_0", parts[how][0].name]))
    elif how == "twice":
        entry = model.metadata_props.add()
        entry.key, entry.value = CARD_KEY, "{}"
    else:
        model.graph.name = draw(st.sampled_from(["", "\u2028", "n" * 1000]))


# The frame comes last: the others look for what it may take away.
_CHANGES = (
    (), *[(_retune,)] * 6, *[(_retune, _change_a_constant)] * 4, (_retune, _change_a_node), (_retune, _change_a_shape),
    (_change_the_card,), (_change_the_card,), (_change_the_frame,), (_change_the_card, _change_a_constant),
    (_change_the_card, _change_a_shape), (_change_a_node, _change_a_shape, _change_the_frame),
    (_change_a_constant, _change_the_frame),
)  # fmt: skip


@st.composite
def model_files(draw: inputs.Draw) -> bytes:
    """The bytes of an .onnx: whole, changed here or there in its structure, or spoilt."""
    model = onnx.load_from_string(draw(st.sampled_from(_models())))
    for change in draw(st.sampled_from(_CHANGES)):
        change(draw, model)
    data = model.SerializeToString()
    return draw(inputs.spoilt(st.just(data), (1, 1, 2))) if draw(st.integers(0, 9)) == 5 else data


def check_model(folder: Path, data: bytes) -> bool:
    """A scan of a small genome with the model, after its card was shown."""
    shown = check_command_on(folder, data, ("models", "show", "fuzzed.onnx"))
    scanned = check_command_on(
        folder, data, ("scan", "genome.fa", "-m", "fuzzed.onnx", "-t", "1", "--device", "cpu", "-q")
    )
    assert shown or not scanned, "a model that scans has a card to show"
    return scanned


def check_command_on(folder: Path, model: bytes, words: tuple[str, ...]) -> bool:
    """`check_command` with this model as fuzzed.onnx."""
    here = folder / "here"
    if not here.is_dir():
        check_command(folder, CommandLine(("models",)))
    (here / "fuzzed.onnx").write_bytes(model)
    return check_command(folder, CommandLine(words))
