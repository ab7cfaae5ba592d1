"""Convolutions over time or over an image become matrix products, channels last: what FINN's layers stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.errors import ModelError
from microstage.integer.interpreter import attributes

__all__ = ["LowerConvs"]

_CUSTOM = "qonnx.custom_op.general"
_LAST = ["N", "H", "W", "C"]
_FLATTENERS = ("Flatten", "Reshape")


class LowerConvs(Transformation):
    """[n, C, L] -> [n, L, 1, C] and [n, C, H, W] -> [n, H, W, C]: Conv -> Im2Col, MatMul; MaxPool -> MaxPoolNHWC; sums,
    products and joins stay, as their constants and axes turn; a swap of time and channels vanishes; what flattens an image
    reorders the rows of the product that follows. A filter of one channel each is a matrix of zeros but for that channel, annotated as sparse.

    Every tensor keeps its name and its integers; the graph's inputs and outputs change shape, and have to be filled and
    read channels last (a single channel is the same either way), which their layout annotation says. Precondition: a graph
    of these operators, thresholds, and layers behind a flattening; no bias. It holds the whole graph or nothing, so it runs once.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        if not any(node.op_type == "Conv" for node in model.graph.node):
            return model, False
        shapes = {v.name: list(model.get_tensor_shape(v.name)) for v in model.graph.value_info}
        shapes |= {v.name: list(model.get_tensor_shape(v.name)) for v in [*model.graph.input, *model.graph.output]}
        lowered = {"Conv": self._conv, "MultiThreshold": self._threshold, "MaxPool": self._pool, "Transpose": self._swap,
                   "Add": self._elementwise, "Mul": self._elementwise, "Concat": self._join, "Identity": self._elementwise}
        renamed: dict[str, str] = {}
        nodes = []
        for node in model.graph.node:
            source = renamed.get(node.input[0], node.input[0])
            if len(shapes[node.input[0]]) == 2:
                nodes.append(node)
            elif node.op_type in _FLATTENERS:
                nodes += self._flatten(model, node, source, shapes)
            elif node.op_type in lowered:
                nodes += lowered[node.op_type](model, node, source, shapes, renamed)
            else:
                raise ModelError(f"{node.op_type} -> {node.output[0]} cannot stand among convolutions.")
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        self._reshape_border(model, shapes, renamed)
        return model, False

    @staticmethod
    def _conv(model, node, source, shapes, renamed):
        flags, weight = attributes(node), model.get_initializer(node.input[1])
        if len(node.input) > 2:
            raise ModelError(f"{node.output[0]}: a convolution with a bias is not lowered yet.")
        groups = flags.get("group", 1)
        kernel, spatial = weight.shape[2:], weight.ndim - 2
        channels, *size = shapes[node.input[0]][1:]
        pads = flags.get("pads", [0] * 2 * spatial)
        shapes[f"{node.output[0]}.columns"] = [1, int(np.prod(kernel)) * channels, *shapes[node.output[0]][2:]]
        columns = helper.make_node(
            "Im2Col", [source], [f"{node.output[0]}.columns"], domain=_CUSTOM,
            input_shape="({})".format(",".join(map(str, [1, *_image(size), channels]))), kernel_size=_image(kernel),
            stride=_image(flags.get("strides", [1] * spatial)), dilations=_image(flags.get("dilations", [1] * spatial)),
            pad_amount=[*_image(pads[:spatial], 0), *_image(pads[spatial:], 0)], depthwise=int(1 < groups == channels == len(weight)),
        )
        # Im2Col puts the channels innermost, then the taps: rows of the matrix follow
        matrix = np.moveaxis(_ungrouped(weight, groups), (0, 1), (-1, -2)).reshape(-1, weight.shape[0])
        name = node.input[1] if len(model.find_consumers(node.input[1])) == 1 else f"{node.output[0]}.matrix"
        model.set_initializer(name, np.ascontiguousarray(matrix))
        if 1 < groups == channels == len(weight):
            model.set_tensor_sparsity(name, {"dw": {"kernel_shape": _image(kernel)}})
        return [columns, helper.make_node("MatMul", [columns.output[0], name], [node.output[0]])]

    @staticmethod
    def _threshold(model, node, source, shapes, renamed):
        node.input[0] = source
        for attribute in node.attribute:
            if attribute.name == "data_layout":
                attribute.s = b"NHWC"
        return [node]

    @staticmethod
    def _pool(model, node, source, shapes, renamed):
        flags, spatial = attributes(node), len(shapes[node.input[0]]) - 2
        ones = [1] * spatial
        if any(flags.get("pads", [0])) or flags.get("ceil_mode", 0) or list(flags.get("dilations", ones)) != ones:
            raise ModelError(f"{node.output[0]}: a pool with padding, dilation or ceil_mode is not lowered yet.")
        pooled = helper.make_node(
            "MaxPoolNHWC", [source], [node.output[0]], domain=_CUSTOM, kernel_shape=_image(flags["kernel_shape"]),
            strides=_image(flags["strides"]), pads=[0, 0, 0, 0], ceil_mode=0,
        )
        return [pooled]

    @staticmethod
    def _elementwise(model, node, source, shapes, renamed):
        for index, name in enumerate(node.input):
            value = model.get_initializer(name)
            if value is None:
                node.input[index] = renamed.get(name, name)
            elif value.size > 1:
                turned = f"{node.output[0]}.{index}"
                whole = value.reshape((1,) * (len(shapes[node.output[0]]) - value.ndim) + value.shape)
                model.set_initializer(turned, np.ascontiguousarray(np.moveaxis(whole[..., None] if whole.ndim == 3 else whole, 1, -1)))
                node.input[index] = turned
        return [node]

    @staticmethod
    def _join(model, node, source, shapes, renamed):
        axis = attributes(node)["axis"] % len(shapes[node.input[0]])
        inputs = [renamed.get(name, name) for name in node.input]
        return [helper.make_node("Concat", inputs, list(node.output), axis={0: 0, 1: 3}.get(axis, axis - 1))]

    @staticmethod
    def _swap(model, node, source, shapes, renamed):
        if list(attributes(node)["perm"]) != [0, 2, 1]:
            raise ModelError(f"{node.output[0]}: expected a swap of time and channels.")
        shapes[node.output[0]] = shapes[node.input[0]]  # channels last already: the same tensor
        renamed[node.output[0]] = source
        return []

    @staticmethod
    def _flatten(model, node, source, shapes):
        """[1, H, W, C] -> [1, HWC], where it was [1, CHW]: the rows of the weights that are read by it follow."""
        channels, *size = shapes[node.input[0]][1:]
        if shapes[node.output[0]] != [1, channels * int(np.prod(size))]:
            raise ModelError(f"{node.output[0]}: among convolutions, only a flattening to one row is lowered.")
        if np.prod(size) > 1:
            order = np.moveaxis(np.arange(channels * np.prod(size)).reshape(channels, *size), 0, -1).reshape(-1)
            for reader in model.find_consumers(node.output[0]):
                weight = model.get_initializer(reader.input[1]) if reader.op_type == "MatMul" else None
                if weight is None:
                    raise ModelError(f"{node.output[0]} is read by {reader.op_type}; expected a product with constant weights.")
                model.set_initializer(reader.input[1], np.ascontiguousarray(weight[order]))
        return [helper.make_node("Flatten", [source], [node.output[0]], axis=1)]

    @staticmethod
    def _reshape_border(model, shapes, renamed) -> None:
        def last(name: str) -> list[int]:
            n, channels, *size = shapes[name]
            return [n, *_image(size), channels] if size else shapes[name]

        for value in [*model.graph.input, *model.graph.output]:
            dims = value.type.tensor_type.shape
            del dims.dim[:]
            for size in last(value.name):
                dims.dim.add().dim_value = size
        del model.graph.value_info[:]
        for node in model.graph.node:
            for output in node.output:
                if output in shapes:
                    model.set_tensor_shape(output, last(output))
        for value in [*model.graph.input, *model.graph.output]:
            if len(shapes[value.name]) > 2:
                model.set_tensor_layout(value.name, _LAST)
        for output in model.graph.output:
            if output.name in renamed:  # the maker takes the border's name, and its other readers follow
                old = renamed[output.name]
                for node in model.graph.node:
                    for names in (node.input, node.output):
                        for index, name in enumerate(names):
                            if name == old:
                                names[index] = output.name


def _ungrouped(weight: np.ndarray, groups: int) -> np.ndarray:
    """[O, I / groups, ...] -> [O, I, ...], zero where an output has no part in an input."""
    if groups == 1:
        return weight
    each, inputs = len(weight) // groups, weight.shape[1]
    whole = np.zeros((len(weight), inputs * groups, *weight.shape[2:]), weight.dtype)
    for output, own in enumerate(weight):
        first = output // each * inputs
        whole[output, first : first + inputs] = own
    return whole


def _image(numbers: Sequence[int], across: int = 1) -> list[int]:
    """One number per side of an image; time runs down one that is `across` wide."""
    return [*map(int, numbers), across][:2]
