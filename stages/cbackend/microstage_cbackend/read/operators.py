"""List which lowering makes the layers of each operator of a streamlined graph: node in, tensors out.

A new operator is a function in one of the modules below and a line here; where no kernel computes it yet, a method of
`ProgramBuilder` and a kernel too.
"""

from __future__ import annotations

from collections.abc import Callable

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.read.extremes import arg_max, extreme, max_pool, refuse_average, top_k
from microstage_cbackend.read.joins import add, concat, mul, pad
from microstage_cbackend.read.levels import multi_threshold, requantize, softmax, table
from microstage_cbackend.read.moves import MOVES, move
from microstage_cbackend.read.node import ReadNode
from microstage_cbackend.read.products import conv, gemm, im2col, matmul, xnor_popcount

__all__ = ["LOWERINGS", "Lowering"]

Lowering = Callable[[ReadNode], list[Tensor]]
"Takes a node and gives the tensors of its outputs."
LOWERINGS: dict[str, Lowering] = {
    **dict.fromkeys(MOVES, move),
    "MatMul": matmul,
    "XnorPopcountMatMul": xnor_popcount,
    "Gemm": gemm,
    "Conv": conv,
    "Im2Col": im2col,
    "MaxPool": max_pool,
    "MaxPoolNHWC": max_pool,
    "Add": add,
    "Mul": mul,
    "MultiThreshold": multi_threshold,
    "Requantize": requantize,
    "Table": table,
    "IntegerSoftmax": softmax,
    "Concat": concat,
    "Pad": pad,
    "AveragePool": refuse_average,
    "GlobalAveragePool": refuse_average,
    "ArgMax": arg_max,
    "TopK": top_k,
    "Max": extreme,
    "Min": extreme,
}
