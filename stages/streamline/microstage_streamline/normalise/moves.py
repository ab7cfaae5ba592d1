"""Leave few operators that move values: Reshape, Transpose, Slice, Gather along one axis, Pad with one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.tensor import real
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.nearest import nearest_places, output_sizes
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite

__all__ = ["gathered", "reshaped", "transposed"]


def gathered(normal: NormalGraph, node: Node, indices: dict[int, np.ndarray]) -> list[Node]:
    """Return one Gather along each axis of which the places are no longer all in order; an Identity where there is
    none.
    """
    shape = normal.values[node.inputs[0]].shape
    indices = {axis: index for axis, index in indices.items() if not np.array_equal(index, np.arange(shape[axis]))}
    if 0 in indices and not normal.is_constant(node.inputs[0]):
        raise ModelError("it moves values from one sample to another")
    if not indices:
        return [Node("Identity", node.inputs[:1], node.outputs, {}, node.layer)]
    nodes, source = [], node.inputs[0]
    for place, (axis, index) in enumerate(sorted(indices.items())):
        output = node.outputs if place == len(indices) - 1 else [f"{node.output}.along{axis}"]
        stored = normal.constant(node.output, np.asarray(index, np.int64))
        nodes.append(Node("Gather", [source, stored], output, {"axis": axis}, node.layer))
        source = output[0]
    return nodes


def reshaped(normal: NormalGraph, source: str, output: str, sizes: Sequence[int], layer: str) -> Node:
    """Append a Reshape to [n, *sizes] of the same values."""
    return Node("Reshape", [source, normal.constant(output, np.asarray([0, *sizes], np.int64))], [output], {}, layer)


def transposed(source: str, output: str, order: Sequence[int], layer: str) -> Node:
    return Node("Transpose", [source], [output], {"perm": [int(axis) for axis in order]}, layer)


def _fixed(normal: NormalGraph, node: Node, place: int, what: str) -> np.ndarray | None:
    """Return a constant input, if it is given."""
    if len(node.inputs) <= place or not node.inputs[place]:
        return None
    if not normal.is_constant(node.inputs[place]):
        raise ModelError(f"its {what} are computed; expected constants")
    return np.asarray(normal.values[node.inputs[place]])


def _required(normal: NormalGraph, node: Node, place: int, what: str) -> np.ndarray:
    """Return a constant input that the operator must be given."""
    found = _fixed(normal, node, place, what)
    if found is None:
        raise ModelError(f"its {what} are left out; expected constants")
    return found


class _Known(Rewrite):
    """Of operators that nothing is left of: they apply wherever the tensor that is moved is known."""

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        return node.inputs[0] in normal.values


class NearestAsGather(_Known):
    """A resized image of which each pixel is one of the old: places along each axis. Precondition: mode nearest."""

    operators = ("Resize", "Upsample")

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        mode = node.flags.get("mode", b"nearest")
        mode = mode.decode() if isinstance(mode, bytes) else mode
        shape = normal.values[node.inputs[0]].shape
        old = node.op == "Upsample" or len(node.inputs) == 2
        scales = _fixed(normal, node, 1 if old else 2, "scales")
        scales = np.asarray(node.flags["scales"], np.float32) if scales is None and "scales" in node.flags else scales
        sizes = _fixed(normal, node, 3, "sizes")
        scales, sizes = output_sizes(shape, scales, sizes, node.flags)
        indices = {
            axis: nearest_places(size, wanted, scale, node.flags, old)
            for axis, (size, wanted, scale) in enumerate(zip(shape, sizes, scales))
            if (size, scale) != (wanted, 1)
        }
        if indices and mode != "nearest":
            raise ModelError(f"mode {mode} mixes neighbours; only nearest moves integers and leaves them as they are")
        return gathered(normal, node, indices)


class TileAsGather(_Known):
    """Repeats along an axis are its places, again and again."""

    operators = ("Tile",)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        shape, repeats = normal.values[node.inputs[0]].shape, _required(normal, node, 1, "repeats")
        return gathered(
            normal, node, {axis: np.tile(np.arange(n), int(r)) for axis, (n, r) in enumerate(zip(shape, repeats))}
        )


class ExpandAsGather(_Known):
    """An axis of one value that is read many times. Precondition: no axis in front of the samples."""

    operators = ("Expand",)

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        shape = normal.values[node.inputs[0]].shape
        wanted = np.broadcast_shapes(shape, tuple(int(n) for n in _required(normal, node, 1, "sizes")))
        if len(wanted) > len(shape):
            raise ModelError(f"it makes {list(wanted)} of {list(shape)}, with axes in front of the samples")
        return gathered(normal, node, {a: np.zeros(m, int) for a, (n, m) in enumerate(zip(shape, wanted)) if n != m})


class BlocksAsAxes(_Known):
    """Channels as pixels, or pixels as channels: reshaped, turned, reshaped."""

    operators = ("DepthToSpace", "SpaceToDepth")

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        (_, c, h, w), b = normal.values[node.inputs[0]].shape, node.flags["blocksize"]
        if node.op == "SpaceToDepth":
            parts, order, sizes = [c, h // b, b, w // b, b], [0, 3, 5, 1, 2, 4], [c * b * b, h // b, w // b]
        elif node.flags.get("mode", b"DCR") in (b"DCR", "DCR"):
            parts, order, sizes = [b, b, c // b**2, h, w], [0, 3, 4, 1, 5, 2], [c // b**2, h * b, w * b]
        else:
            parts, order, sizes = [c // b**2, b, b, h, w], [0, 1, 4, 2, 5, 3], [c // b**2, h * b, w * b]
        apart, turned = f"{node.output}.blocks", f"{node.output}.turned"
        return [
            reshaped(normal, node.inputs[0], apart, parts, node.layer),
            transposed(apart, turned, order, node.layer),
            reshaped(normal, turned, node.output, sizes, node.layer),
        ]


class ElementsAsGather(_Known):
    """Values picked one by one are places of the flattened tensor.

    Precondition: constant places, all in their own sample.
    """

    operators = ("GatherElements", "GatherND")

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        shape = normal.values[node.inputs[0]].shape
        index = _required(normal, node, 1, "places")
        places = np.arange(int(np.prod(shape))).reshape(shape)
        if node.op == "GatherElements":
            axis = node.flags.get("axis", 0) % len(shape)
            picked = np.take_along_axis(
                places[tuple(slice(0, n) if a != axis else slice(None) for a, n in enumerate(index.shape))],
                np.where(index < 0, index + shape[axis], index),
                axis,
            )
        elif node.flags.get("batch_dims", 0) == 1:
            picked = places[0][tuple(np.moveaxis(index[0], -1, 0))][None]
        else:
            picked = places[tuple(np.moveaxis(index, -1, 0))]
        if not picked.ndim or picked.shape[0] != 1:
            raise ModelError("it picks values of several samples")
        flat, taken = f"{node.output}.flat", f"{node.output}.picked"
        stored = normal.constant(node.output, picked.reshape(-1))
        return [
            reshaped(normal, node.inputs[0], flat, [places.size], node.layer),
            Node("Gather", [flat, stored], [taken], {"axis": 1}, node.layer),
            reshaped(normal, taken, node.output, picked.shape[1:], node.layer),
        ]


class PlainPad(Rewrite):
    """Pads of every axis as one input, none negative, and no zeros as fill; a border of the tensor's own values is a
    Gather.
    """

    operators = ("Pad",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        if node.inputs[0] not in normal.values:
            return False
        mode, pads, fill = self._read(normal, node)
        plain = (
            mode == "constant"
            and len(node.inputs) < 4
            and not node.flags.keys() - {"mode"}
            and pads.min(initial=0) >= 0
        )
        return (
            not plain
            or not pads.any()
            or len(node.inputs) > 2
            and not np.any(real(fill))
            or self._whole(normal, node, fill) is not None
        )

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        mode, pads, fill = self._read(normal, node)
        shape = normal.values[node.inputs[0]].shape
        if np.any(pads[:, 0]) and not normal.is_constant(node.inputs[0]):
            raise ModelError("it adds or takes samples")
        cut = [np.arange(max(0, -int(b)), n - max(0, -int(a))) for n, b, a in zip(shape, *pads)]
        pads = np.maximum(pads, 0)
        if mode != "constant":
            indices = {axis: np.pad(cut[axis], pads[:, axis], mode) for axis in range(len(shape)) if len(cut[axis])}
            return gathered(normal, node, indices)
        source, nodes = node.inputs[0], []
        if any(len(index) != n for index, n in zip(cut, shape)):
            source = node.output if not pads.any() else f"{node.output}.cut"
            nodes = gathered(normal, Node("Pad", node.inputs, [source], {}, node.layer), dict(enumerate(cut)))
        if pads.any():
            stored = [normal.constant(node.output, pads.reshape(-1).astype(np.int64))]
            if np.any(real(fill)):
                whole = self._whole(normal, node, fill)
                stored.append(normal.constant(node.output, fill if whole is None else whole))
            nodes.append(Node("Pad", [source, *stored], node.outputs, {}, node.layer))
        return nodes or [Node("Identity", [source], node.outputs, {}, node.layer)]

    @staticmethod
    def _read(normal: NormalGraph, node: Node) -> tuple[str, np.ndarray, Any]:
        """Return (mode, [2, rank], fill)."""
        rank, mode = len(normal.values[node.inputs[0]].shape), node.flags.get("mode", b"constant")
        given = _fixed(normal, node, 1, "amounts")
        given = np.asarray(node.flags.get("pads") if given is None else given, np.int64).reshape(2, -1)
        pads, axes = np.zeros((2, rank), np.int64), _fixed(normal, node, 3, "axes")
        pads[:, np.arange(rank) if axes is None else axes] = given
        fill = (
            normal.graph.constants.get(node.inputs[2])
            if len(node.inputs) > 2 and node.inputs[2]
            else node.flags.get("value", 0.0)
        )
        if fill is None:
            raise ModelError("its fill is computed; expected a constant")
        return mode.decode() if isinstance(mode, bytes) else mode, pads, fill

    @staticmethod
    def _whole(normal: NormalGraph, node: Node, fill) -> QTensor | None:
        """Return a real fill as an integer at the scale of the tensor, if it is one."""
        value = normal.values[node.inputs[0]]
        if not isinstance(value, QTensor) or isinstance(fill, QTensor) or np.size(value.scale) > 1 or not np.any(fill):
            return None
        levels = np.asarray(fill, np.float64).reshape(()) / np.asarray(value.scale).reshape(())
        near = np.rint(levels)
        return (
            QTensor(near.astype(np.int64), np.asarray(value.scale).reshape(()))
            if abs(levels - near) <= abs(near) * 2.0**-22
            else None
        )


class GatherOfRow(Rewrite):
    """Gather by one place, or by a table of places, is by a row of them, in another shape.

    Precondition: constant places.
    """

    operators = ("Gather",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        source, index = node.inputs
        known = source in normal.values and normal.is_constant(index) and not normal.is_constant(source)
        if known and node.flags.get("axis", 0) % len(normal.values[source].shape) == 0:
            raise ModelError("it picks among samples")
        return known and np.ndim(normal.values[index]) != 1

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        shape, index = normal.values[node.inputs[0]].shape, np.asarray(normal.values[node.inputs[1]])
        axis, row = node.flags.get("axis", 0) % len(shape), f"{node.output}.row"
        stored = normal.constant(node.inputs[1], index.reshape(-1))
        return [
            Node("Gather", [node.inputs[0], stored], [row], {"axis": axis}, node.layer),
            reshaped(normal, row, node.output, [*shape[1:axis], *index.shape, *shape[axis + 1 :]], node.layer),
        ]
