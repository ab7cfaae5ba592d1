"""List what each operator of a .tflite file becomes: a function that appends nodes to a `TfliteBuilder`."""

from __future__ import annotations

from collections.abc import Callable

from microstage_streamline.tflite import functions, pools, products, shapes, sums
from microstage_streamline.tflite.builder import TfliteBuilder
from microstage_streamline.tflite.file import TfliteOperator

__all__ = ["OPERATORS"]

OPERATORS: dict[str, Callable[[TfliteBuilder, TfliteOperator], None]] = {
    "QUANTIZE": functions.quantize,
    "RELU": functions.relu,
    "RELU6": functions.relu6,
    "LEAKY_RELU": functions.leaky_relu,
    "PRELU": functions.prelu,
    "ABS": functions.absolute,
    "LOGISTIC": functions.logistic,
    "TANH": functions.tanh,
    "ELU": functions.elu,
    "MAXIMUM": functions.extreme,
    "MINIMUM": functions.extreme,
    "HARD_SWISH": functions.hard_swish,
    "SOFTMAX": functions.softmax,
    "MAX_POOL_2D": pools.max_pool,
    "AVERAGE_POOL_2D": pools.average_pool,
    "REDUCE_MAX": pools.reduce_max,
    "MEAN": pools.reduce,
    "SUM": pools.reduce,
    "CONV_2D": products.conv,
    "DEPTHWISE_CONV_2D": products.depthwise_conv,
    "TRANSPOSE_CONV": products.transpose_conv,
    "FULLY_CONNECTED": products.fully_connected,
    "RESHAPE": shapes.reshape,
    "SQUEEZE": shapes.reshape,
    "EXPAND_DIMS": shapes.reshape,
    "TRANSPOSE": shapes.transpose,
    "CONCATENATION": shapes.concatenation,
    "PAD": shapes.pad,
    "PADV2": shapes.pad,
    "SLICE": shapes.slice_,
    "STRIDED_SLICE": shapes.strided_slice,
    "SPLIT": shapes.split,
    "SPLIT_V": shapes.split,
    "UNPACK": shapes.unpack,
    "DEPTH_TO_SPACE": shapes.blocks,
    "SPACE_TO_DEPTH": shapes.blocks,
    "GATHER": shapes.gather,
    "TILE": shapes.tile,
    "RESIZE_NEAREST_NEIGHBOR": shapes.resize_nearest,
    "ARG_MAX": shapes.arg_max,
    "ADD": sums.add,
    "SUB": sums.add,
    "MUL": sums.mul,
}
"By the schema's name of the operator. A `ModelError` from a function says why one has no form in a graph."
