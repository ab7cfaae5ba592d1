"""Rewrite products of bytes so that onnxruntime computes them right on every processor.

Where a processor has AVX2 and no VNNI, onnxruntime multiplies unsigned bytes by signed ones in pairs whose sums it
holds in 16 bits: large ones saturate. Two unsigned operands it sums in 32. So the signed operand of such a pair is
given as unsigned, 128 higher, and its zero point likewise: the same numbers to be multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["unsaturated"]

_OPERANDS = {  # operator: places of one operand, its zero point, the other operand, its zero point
    "ConvInteger": (0, 2, 1, 3),
    "MatMulInteger": (0, 2, 1, 3),
    "MatMulIntegerToFloat": (0, 4, 1, 5),
    "QGemm": (0, 2, 3, 5),
    "QLinearConv": (0, 2, 3, 5),
    "QLinearMatMul": (0, 2, 3, 5),
}
_UNSIGNED = ("QuantizeLinear", "DynamicQuantizeLinear")  # what they make without a zero point
_BYTES = (np.dtype(np.int8), np.dtype(np.uint8))
_HALF = 128


def unsaturated(nodes: Sequence[onnx.NodeProto], kinds: Mapping[str, np.dtype]) -> list[onnx.NodeProto]:
    """Return `nodes` in the same order, each product of an unsigned and a signed operand as one of two unsigned ones.

    `kinds`: the types of what the nodes read and do not make.
    """
    makers = {name: node for node in nodes for name in node.output}
    return [new for node in nodes for new in _rewritten(node, makers, kinds)]


def _rewritten(
    node: onnx.NodeProto, makers: Mapping[str, onnx.NodeProto], kinds: Mapping[str, np.dtype]
) -> Iterator[onnx.NodeProto]:
    a, a_zero, b, b_zero = _OPERANDS.get(node.op_type, (0, 0, 0, 0))
    signed = [pair for pair in ((a, a_zero), (b, b_zero)) if a != b and _is_signed(node, *pair, makers, kinds)]
    if len(signed) != 1:
        yield node
        return
    operand, zero = signed[0]
    node = onnx.NodeProto.FromString(node.SerializeToString())
    node.input.extend([""] * (zero + 1 - len(node.input)))
    yield from _raised(node, operand)
    yield from _raised(node, zero) if node.input[zero] else _half(node, zero)
    yield node


def _is_signed(
    node: onnx.NodeProto, operand: int, zero: int, makers: Mapping[str, onnx.NodeProto], kinds: Mapping[str, np.dtype]
) -> bool:
    """Tell by the operand or by its zero point, which have one type, else by those of the node that made it."""
    names = [node.input[operand], *node.input[zero : zero + 1]]
    while not (known := [kinds[name] for name in names if kinds.get(name) in _BYTES]):
        made = makers.get(names[0])
        if made is None or made.op_type in _UNSIGNED and len(made.input) < 3:
            return False
        names = list(made.input)
    return known[0] == np.int8


def _raised(node: onnx.NodeProto, place: int) -> list[onnx.NodeProto]:
    """Return what computes one input of `node` as unsigned bytes, `_HALF` higher; the node reads that."""
    name, (half, wide, raised, unsigned) = node.input[place], (f"{node.output[0]}:{place}:{k}" for k in range(4))
    node.input[place] = unsigned
    return [
        helper.make_node("Constant", [], [half], value=numpy_helper.from_array(np.array(_HALF, np.int32))),
        helper.make_node("Cast", [name], [wide], to=TensorProto.INT32),
        helper.make_node("Add", [wide, half], [raised]),
        helper.make_node("Cast", [raised], [unsigned], to=TensorProto.UINT8),
    ]


def _half(node: onnx.NodeProto, place: int) -> list[onnx.NodeProto]:
    """Return the zero point of a raised operand that has none."""
    node.input[place] = name = f"{node.output[0]}:{place}:zero"
    return [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(_HALF, np.uint8)))]
