"""List which lowering makes the calls of each operator of a streamlined graph: node in, value of its last output.

A new operator is a function in one of the modules below and a line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx

from microstage.integer.registry import Kind, named
from microstage_rtl.read.extremes import extreme, max_pool, top
from microstage_rtl.read.joins import add, concat, mul, pad
from microstage_rtl.read.levels import multi_threshold, requantize, table
from microstage_rtl.read.moves import identity, move
from microstage_rtl.read.node import LoweredNode, Value
from microstage_rtl.read.products import conv, gemm, im2col, matmul, xnor_popcount

__all__ = ["lowering_of"]

Lowering = Callable[[LoweredNode], Value | Mapping[str, Value]]
_LOWERINGS: dict[str, Lowering] = {
    "MatMul": matmul,
    "XnorPopcountMatMul": xnor_popcount,
    "Gemm": gemm,
    "Conv": conv,
    "Im2Col": im2col,
    "MaxPool": max_pool,
    "MaxPoolNHWC": max_pool,
    "MultiThreshold": multi_threshold,
    "Requantize": requantize,
    "Table": table,
    "Add": add,
    "Mul": mul,
    "Concat": concat,
    "Pad": pad,
    "Max": extreme,
    "Min": extreme,
    "TopK": top,
    "ArgMax": top,
    "Identity": identity,
    "Dropout": identity,
}


def lowering_of(node: onnx.NodeProto) -> Lowering | None:
    """Return what lowers `node`: a line of the table, or `move` where it only moves integers; None where nothing."""
    moves = named(node.op_type).kind is Kind.MOVES
    return _LOWERINGS.get(node.op_type) or (move if moves else None)
