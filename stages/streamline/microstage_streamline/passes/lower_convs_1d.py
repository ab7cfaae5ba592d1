"""Convolutions over time become matrix products, channels last: what FINN's layers stream."""

from __future__ import annotations

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.errors import ModelError
from microstage.integer.interpreter import attributes

__all__ = ["LowerConvs1d"]

_CUSTOM = "qonnx.custom_op.general"


class LowerConvs1d(Transformation):
    """[n, C, L] -> [n, L, 1, C]: Conv -> Im2Col, MatMul; MaxPool -> MaxPoolNHWC; a swap of time and channels vanishes.

    Every tensor keeps its name and its integers; the graph's inputs and outputs change shape, and have to be filled and
    read channels last (a single channel is the same either way). Precondition: a graph of these operators alone, no
    groups, no bias. It holds the whole graph or nothing, so it runs once.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        if not any(node.op_type == "Conv" and len(model.get_initializer(node.input[1]).shape) == 3 for node in model.graph.node):
            return model, False
        shapes = {v.name: list(model.get_tensor_shape(v.name)) for v in model.graph.value_info}
        shapes |= {v.name: list(model.get_tensor_shape(v.name)) for v in [*model.graph.input, *model.graph.output]}
        lowered = {"Conv": self._conv, "MultiThreshold": self._threshold, "MaxPool": self._pool, "Transpose": self._swap}
        renamed: dict[str, str] = {}
        nodes = []
        for node in model.graph.node:
            if node.op_type not in lowered:
                raise ModelError(f"{node.op_type} -> {node.output[0]} cannot stand among convolutions over time.")
            source = renamed.get(node.input[0], node.input[0])
            nodes += lowered[node.op_type](model, node, source, shapes, renamed)
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        self._reshape_border(model, shapes, renamed)
        return model, False

    @staticmethod
    def _conv(model, node, source, shapes, renamed):
        flags, weight = attributes(node), model.get_initializer(node.input[1])
        if flags.get("group", 1) != 1 or len(node.input) > 2:
            raise ModelError(f"{node.output[0]}: a convolution over time with groups or a bias is not lowered yet.")
        kernel = weight.shape[2]
        pads = flags.get("pads", [0, 0])
        _, channels, length = shapes[node.input[0]]
        shapes[f"{node.output[0]}.columns"] = [1, kernel * channels, shapes[node.output[0]][2]]
        columns = helper.make_node(
            "Im2Col", [source], [f"{node.output[0]}.columns"], domain=_CUSTOM, input_shape=f"(1,{length},1,{channels})",
            kernel_size=[kernel, 1], stride=[flags.get("strides", [1])[0], 1], pad_amount=[pads[0], 0, pads[1], 0],
            dilations=[flags.get("dilations", [1])[0], 1], depthwise=0,
        )
        # Im2Col puts the channels innermost, then the taps: rows of the matrix follow
        matrix = np.transpose(weight, (2, 1, 0)).reshape(kernel * channels, weight.shape[0])
        model.set_initializer(node.input[1], np.ascontiguousarray(matrix))
        return [columns, helper.make_node("MatMul", [columns.output[0], node.input[1]], [node.output[0]])]

    @staticmethod
    def _threshold(model, node, source, shapes, renamed):
        node.input[0] = source
        for attribute in node.attribute:
            if attribute.name == "data_layout":
                attribute.s = b"NHWC"
        return [node]

    @staticmethod
    def _pool(model, node, source, shapes, renamed):
        flags = attributes(node)
        if any(flags.get("pads", [0, 0])) or flags.get("ceil_mode", 0) or flags.get("dilations", [1]) != [1]:
            raise ModelError(f"{node.output[0]}: a pool with padding, dilation or ceil_mode is not lowered yet.")
        pooled = helper.make_node(
            "MaxPoolNHWC", [source], [node.output[0]], domain=_CUSTOM, kernel_shape=[flags["kernel_shape"][0], 1],
            strides=[flags["strides"][0], 1], pads=[0, 0, 0, 0], ceil_mode=0,
        )
        return [pooled]

    @staticmethod
    def _swap(model, node, source, shapes, renamed):
        if list(attributes(node)["perm"]) != [0, 2, 1]:
            raise ModelError(f"{node.output[0]}: expected a swap of time and channels.")
        shapes[node.output[0]] = shapes[node.input[0]]  # channels last already: the same tensor
        renamed[node.output[0]] = source
        return []

    @staticmethod
    def _reshape_border(model, shapes, renamed) -> None:
        for value in [*model.graph.input, *model.graph.output]:
            n, channels, length = shapes[value.name]
            dims = value.type.tensor_type.shape
            del dims.dim[:]
            for size in (n, length, 1, channels):
                dims.dim.add().dim_value = size
        del model.graph.value_info[:]
        for node in model.graph.node:
            n, channels, length = shapes[node.output[0]]
            model.set_tensor_shape(node.output[0], [n, length, 1, channels])
        for output in model.graph.output:
            if output.name in renamed:  # the maker takes the border's name, and its other readers follow
                old = renamed[output.name]
                for node in model.graph.node:
                    for names in (node.input, node.output):
                        for index, name in enumerate(names):
                            if name == old:
                                names[index] = output.name
