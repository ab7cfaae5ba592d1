"""Turn convolutions over time or over an image into matrix products, channels last: what FINN's layers stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.integer.interpreter import attributes
from microstage_streamline.finn.mover import Mover
from microstage_streamline.finn.stored import FlattenedImage, StoredLayout, channels_last, natural
from microstage_streamline.finn.trim_kernel import trimmed

__all__ = ["LowerConvs"]

_CUSTOM = "qonnx.custom_op.general"


class LowerConvs(Transformation):
    """[n, C, L] -> [n, L, 1, C] and [n, C, H, W] -> [n, H, W, C]: Conv -> Im2Col, MatMul; MaxPool -> MaxPoolNHWC;
    element-wise operators, thresholds and joins stay, as their constants and axes turn; a Transpose renames axes and
    vanishes; what flattens an image reorders the rows of the product behind it. A filter of one channel each is a
    matrix of zeros but for that channel, annotated as sparse.

    Every tensor keeps its integers; `stored` says how each lies. Inputs and outputs lie as they did, by moves at the
    border, whose outputs `moves` names; so do the operands of operators that are not known here. `kept` says why
    convolutions that stay do so. It runs once.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        mover = self.mover = Mover(model)
        self.kept: dict[str, str] = {}
        lowered = {
            "Conv": self._conv,
            "MatMul": self._matmul,
            "MultiThreshold": self._threshold,
            "MaxPool": self._pool,
            "Transpose": self._transpose,
            "Concat": self._concat,
            "Split": self._split,
            "Slice": self._slice,
            **dict.fromkeys(("Add", "Mul", "Identity"), self._elementwise),
            **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), self._reshape),
        }
        for node in list(model.graph.node):
            lowered.get(node.op_type, self._as_it_is)(node)
        mover.finish()
        self.stored, self.moves = mover.stored, mover.moves
        return model, False

    def _as_it_is(self, node) -> None:
        mover = self.mover
        inputs = [
            mover.lying(name, natural(mover.rank(name))).name if name in mover.stored else name for name in node.input
        ]
        mover.emit(node, inputs, [natural(mover.rank(name)) for name in node.output])

    def _conv(self, node) -> None:
        mover, flags, weight = self.mover, attributes(node), self.mover.constant(node.input[1])
        spatial, groups, image = weight.ndim - 2, flags.get("group", 1), mover.shape(node.input[0])[2:]
        strides, dilations = (list(flags.get(name, [1] * spatial)) for name in ("strides", "dilations"))
        weight, pads = trimmed(weight, image, strides, dilations, flags.get("pads", [0] * 2 * spatial))
        if reason := self._unlike_an_image(weight.shape[2:], image, pads):
            self.kept[node.output[0]] = reason
            return self._as_it_is(node)
        x, kernel, strides, dilations = mover.last(node.input[0]), weight.shape[2:], _image(strides), _image(dilations)
        channels = x.shape[1]
        depthwise = 1 < groups == channels == len(weight)
        # Im2Col puts the channels innermost, then the taps: rows of the matrix follow
        matrix = np.moveaxis(_ungrouped(weight, groups), (0, 1), (-1, -2)).reshape(-1, weight.shape[0])
        name = mover.store(node.input[1], matrix, f"{node.output[0]}.matrix")
        source = x.name
        if np.prod(kernel) > 1 or max(strides) > 1 or any(pads) or groups > 1:
            source = f"{node.output[0]}.columns"
            amounts = [*_image(pads[:spatial], 0), *_image(pads[spatial:], 0)]
            windows = {"kernel_size": _image(kernel), "stride": strides, "dilations": dilations, "pad_amount": amounts}
            self._unroll(x, source, depthwise=int(depthwise), **windows)
        if depthwise:
            mover.model.set_tensor_sparsity(name, {"dw": {"kernel_shape": _image(kernel)}})
        product = helper.make_node("MatMul", list(node.input), list(node.output))
        mover.emit(product, [source, name], [channels_last(len(x.shape))])

    def _unroll(self, x: StoredLayout, output: str, **flags: Any) -> None:
        """Append the windows of an image, each as a row: Im2Col as qonnx has it."""
        sizes = "({})".format(",".join(map(str, x.sizes)))
        self.mover.append(helper.make_node("Im2Col", [x.name], [output], domain=_CUSTOM, input_shape=sizes, **flags))

    @staticmethod
    def _unlike_an_image(kernel: Sequence[int], image: Sequence[int], pads: Sequence[int]) -> str:
        """Return why qonnx has no windows of this form; nothing where it has."""
        if len(image) > 2:
            return f"a convolution over {len(image)} axes has no form in FINN"
        for axis, size in enumerate(image):
            if size == 1 and (kernel[axis] > 1 or pads[axis] + pads[axis + len(image)] > 0):
                return f"a window of {list(kernel)} with padding has no form in FINN over an image of {list(image)}"
        return ""

    def _matmul(self, node) -> None:
        """Append a product; the rows of its constant follow a flattened image."""
        mover, weight = self.mover, self.mover.constants.get(node.input[1])
        x = mover.stored.get(node.input[0])
        if x is None or weight is None or x.flattened is None or weight.ndim != 2:
            return self._as_it_is(node)
        name = mover.store(node.input[1], weight[x.flattened.order], f"{node.output[0]}.matrix")
        mover.emit(node, [x.name, name], [natural(2)])

    def _threshold(self, node) -> None:
        mover, table = self.mover, self.mover.constant(node.input[1])
        layout = attributes(node).get("data_layout", "NCHW")
        x, rank = mover.stored[node.input[0]], mover.rank(node.input[0])
        if rank > 4:
            return self._as_it_is(node)
        channel = rank - 1 if layout in ("NHWC", "NWC") else 1
        if x.axes[-1] != channel and len(table) > 1:
            x = mover.lying(node.input[0], channels_last(rank) if channel == 1 else natural(rank))
        elif x.is_natural and mover.meets_windows(node.output[0]):
            x = mover.last(node.input[0])
        name = node.input[1]
        if x.flattened is not None and len(table) > 1:
            name = mover.store(name, table[x.flattened.order], f"{node.output[0]}.table")
        for attribute in node.attribute:
            if attribute.name == "data_layout":
                attribute.s = {2: b"NC", 3: b"NWC", 4: b"NHWC"}[len(x.axes)]
        mover.emit(node, [x.name, name], like=x)

    def _pool(self, node) -> None:
        mover, flags = self.mover, attributes(node)
        spatial = len(flags["kernel_shape"])
        ones, pads = [1] * spatial, list(flags.get("pads", [0] * 2 * spatial))
        uneven = pads[:spatial] != pads[spatial:]  # qonnx's pool has one padding for either side
        if spatial > 2 or uneven or flags.get("ceil_mode", 0) or list(flags.get("dilations", ones)) != ones:
            return self._as_it_is(node)
        x = mover.last(node.input[0])
        pooled = helper.make_node(
            "MaxPoolNHWC",
            list(node.input),
            list(node.output),
            domain=_CUSTOM,
            kernel_shape=_image(flags["kernel_shape"]),
            strides=_image(flags.get("strides", ones)),
            pads=[*_image(pads[:spatial], 0), *_image(pads[spatial:], 0)],
            ceil_mode=0,
        )
        mover.emit(pooled, [x.name], like=x)

    def _elementwise(self, node) -> None:
        """Append an operator whose computed operands lie alike; its constants turn with them."""
        mover = self.mover
        computed = [name for name in node.input if name in mover.stored]
        if len({mover.rank(name) for name in (*computed, node.output[0])}) > 1:
            return self._as_it_is(node)
        x = self._alike(computed)[0]
        if x.is_natural and mover.meets_windows(node.output[0]):
            x = mover.last(computed[0])
        inputs = []
        for name in node.input:
            value = mover.constants.get(name)
            if value is None:
                inputs.append(mover.lying(name, x.axes).name if x.flattened is None else mover.stored[name].name)
            else:
                turned = value if value.size == 1 or x.is_natural else x.arranged(value)
                inputs.append(
                    mover.store(name, turned, f"{node.output[0]}.{len(inputs)}") if turned is not value else name
                )
        mover.emit(node, inputs, like=x)

    def _alike(self, names: Sequence[str]) -> list[StoredLayout]:
        """Return tensors of one rank that lie alike.

        As they lie if they do so already, else channels last where one of them is, else natural.
        """
        mover = self.mover
        found = [mover.stored[name] for name in names]
        if all(x.lies_as(found[0]) for x in found):
            return found
        last = channels_last(len(found[0].shape))
        return [
            mover.lying(name, last if any(x.axes == last for x in found) else natural(len(found[0].shape)))
            for name in names
        ]

    def _concat(self, node) -> None:
        mover, axis = self.mover, attributes(node)["axis"] % self.mover.rank(node.output[0])
        found = self._alike(node.input)
        if found[0].flattened is not None:
            return self._as_it_is(node)
        joined = helper.make_node("Concat", list(node.input), list(node.output), axis=found[0].axes.index(axis))
        mover.emit(joined, [x.name for x in found], like=found[0])

    def _split(self, node) -> None:
        mover, axis = self.mover, attributes(node).get("axis", 0) % self.mover.rank(node.input[0])
        x = mover.plain(node.input[0])
        split = helper.make_node("Split", list(node.input), list(node.output), axis=x.axes.index(axis))
        mover.emit(split, [x.name, *node.input[1:]], like=x)

    def _slice(self, node) -> None:
        mover = self.mover
        x, starts = mover.plain(node.input[0]), mover.constant(node.input[1])
        axes = mover.constant(node.input[3]) if len(node.input) > 3 and node.input[3] else np.arange(len(starts))
        turned = np.asarray([x.axes.index(int(axis) % len(x.shape)) for axis in axes], np.int64)
        name = mover.store("", turned, f"{node.output[0]}.axes")
        mover.emit(node, [x.name, *node.input[1:3], name, *node.input[4:]], like=x)

    def _transpose(self, node) -> None:
        """Rename axes: axis j of the result is axis perm[j] of the source, and no value moves."""
        mover, x = self.mover, self.mover.plain(node.input[0])
        order = list(attributes(node).get("perm", range(len(x.shape))[::-1]))
        mover.rename(node.output[0], x, tuple(None if axis is None else order.index(axis) for axis in x.axes))

    def _reshape(self, node) -> None:
        """Keep the values as they lie, if the new shape has a layout of which that is true; else reshape in natural
        order.
        """
        mover, x = self.mover, self.mover.stored[node.input[0]]
        shape = mover.shape(node.output[0])
        places = x.memory()
        for axes in (channels_last(len(shape)), natural(len(shape))):
            if np.array_equal(places, StoredLayout("", shape, axes).memory()):
                return mover.reshaped(node.output[0], x, StoredLayout("", shape, axes))
        if len(shape) == 2 and x.flattened is None:
            kept = [axis for axis in x.axes if axis is not None]
            back = tuple(int(place) for place in np.argsort(kept))
            image = FlattenedImage(places, tuple(x.shape[axis] for axis in kept), back)
            return mover.reshaped(node.output[0], x, StoredLayout("", shape, natural(2), image))
        self._as_it_is(node)


def _ungrouped(weight: np.ndarray, groups: int) -> np.ndarray:
    """Return weights [O, I / groups, ...] as [O, I, ...], zero where an output has no part in an input."""
    if groups == 1:
        return weight
    each, inputs = len(weight) // groups, weight.shape[1]
    whole = np.zeros((len(weight), inputs * groups, *weight.shape[2:]), weight.dtype)
    for output, own in enumerate(weight):
        first = output // each * inputs
        whole[output, first : first + inputs] = own
    return whole


def _image(numbers: Sequence[int], across: int = 1) -> list[int]:
    """Return one number per side of an image; time runs down one that is `across` wide."""
    return [*map(int, numbers), across][:2]
