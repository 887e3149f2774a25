"""Attention as one operator: what ONNX Runtime's CUDA provider needs to run it as flash attention.

Of onnxscript's fusions those of attention are taken, and one of rotary positions is added. The others
(SkipLayerNormalization, BiasGelu, EmbedLayerNormalization) the runtime finds by itself when it opens a model, so that
each provider gets those that it has good kernels for: see `scanner.inference.session`.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import CommonSubexpressionEliminationPass, ShapeInferencePass
from onnxscript.optimizer import optimize
from onnxscript.rewriter import pattern
from onnxscript.rewriter.ort_fusions import attention, mha, mha_bias, mha_scale, sdpa, sdpa_via_mha

FUSED = ("Attention", "MultiHeadAttention")
"""Operators of com.microsoft that attention becomes; the former holds the projections to queries, keys and values."""
_DOMAIN = "com.microsoft"
_ANY_SIZE = 2**31


@dataclass(frozen=True)
class Attentions:
    """How many attentions of a graph are one operator, and the nodes where others begin that are in pieces."""

    fused: int
    unfused: tuple[str, ...]

    @property
    def layout(self) -> str:
        """For the card: none, fused, or unfused (where one or more are in pieces)."""
        return "unfused" if self.unfused else "fused" if self.fused else "none"


class _Rotation(pattern.RewriteRuleClassBase):
    """Rotary positions (Su et al. 2021) as transformers writes them, to one operator. The tables of cosines and sines
    may be constants or computed; both hold every angle twice, of which the operator wants one."""

    def pattern(self, op, x, cos, sin, start, middle, middle_again, end):
        halves = op.Slice(x, start, middle, [3], [1]), op.Slice(x, middle_again, end, [3], [1])
        return x * cos + op.Concat(op.Neg(halves[1]), halves[0], axis=-1) * sin

    def check(self, op, x, cos, sin, start, middle, middle_again, end):  # noqa: ARG002 (the rewriter passes all)
        result = pattern.MatchResult()
        if x.shape is None or len(x.shape) != 4 or not isinstance(x.shape[3], int) or not isinstance(x.shape[1], int):
            return result.fail("not a tensor of heads of a known size")
        known = [ir.convenience.get_const_tensor(one) for one in (start, middle, middle_again, end)]
        if any(one is None for one in known):
            return result.fail("not sliced at known places")
        places, half = [int(one.numpy().item()) for one in known], x.shape[3] // 2
        if places[:3] != [0, half, half] or places[3] < x.shape[3]:
            return result.fail("not two halves")
        for table in (cos, sin):
            if table.shape is None or len(table.shape) < 2 or any(one != 1 for one in table.shape[:-2]):
                return result.fail("positions differ between windows")
        return result

    def rewrite(self, op, x, cos, sin, **_):
        half = x.shape[3] // 2
        zero, one, middle = (op.Constant(value_ints=[number]) for number in (0, 1, half))
        flat = op.Constant(value_ints=[-1, 2 * half])
        tables = [op.Slice(op.Reshape(table, flat), zero, middle, one, one) for table in (cos, sin)]
        return op.RotaryEmbedding(x, zero, *tables, _domain=_DOMAIN)


_ROTATION = pattern.RewriteRuleSet([_Rotation.rule()], commute=True)


def fuse_attention(model: onnx.ModelProto, pack: bool = True) -> onnx.ModelProto:
    """The model with every attention that is recognised as one operator of com.microsoft.

    pack: let the operator hold the projections, too, where they are plain products. Not before quantization, which
        knows the products only.
    """
    if not count_attentions(model).unfused:
        return model
    graph = ir.from_proto(model)
    ShapeInferencePass()(graph)
    optimize(graph)
    _ROTATION.apply_to_model(graph)
    CommonSubexpressionEliminationPass()(graph)
    if sdpa.fuse_sdpa(graph, apply_shape_inference=True):
        if mha.fuse_mha1(graph) + mha.fuse_mha2(graph):
            mha_scale.fuse_mha_scale(graph)
            if pack:
                mha_bias.fuse_mha_bias(graph)
                attention.fuse_attention(graph)
        sdpa_via_mha.replace_sdpa_by_mha(graph)
    optimize(graph, input_size_limit=_ANY_SIZE, output_size_limit=_ANY_SIZE)
    fused = ir.to_proto(graph)
    fused.ir_version = model.ir_version
    return fused


def count_attentions(model: onnx.ModelProto) -> Attentions:
    """The attentions of a graph. One in pieces is told by its softmax, whose result is a factor of a product."""
    nodes = model.graph.node
    fused = sum(node.op_type in FUSED and node.domain == _DOMAIN for node in nodes)
    makers = {output: node for node in nodes for output in node.output}
    unfused = {}
    for node in nodes:
        maker = makers.get(node.input[0]) if node.op_type == "MatMul" else None
        while maker is not None and maker.op_type in ("Cast", "Where"):
            maker = makers.get(maker.input[-1 if maker.op_type == "Where" else 0])
        if maker is not None and maker.op_type == "Softmax":
            unfused[maker.name] = None
    return Attentions(fused, tuple(unfused))
