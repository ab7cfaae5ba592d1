"""Copy images in bytes as few times as possible before the layers that read a padded one.

as_copies     a sum that only copies bytes, in another order or plus 128, is a copy
join_copies   such a copy and its padded copy are one
join_frames   a layer writes into the middle of the padded buffer that alone would read it
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microstage_cbackend.passes.fuse import producer
from microstage_cbackend.program.ir import KernelCall, Part
from microstage_cbackend.program.places import walk

__all__ = ["as_copies", "join_copies", "join_frames", "read_by"]


def as_copies(part: Part) -> None:
    """Make sums that only copy bytes copies."""
    for layer in part.layers:
        if layer.kernel == "ms_add" and layer.output.ctype == "uint8_t" and layer.shape["size"][0] == 1:
            _as_copy(layer)


def join_copies(part: Part) -> None:
    """Make a copy of bytes and the padded copy that follows it one copy."""
    for layer in list(part.layers):
        if layer.kernel == "ms_pad_u8" and layer.operator == "Pad":
            _join_copy(part, layer)


def _as_copy(layer: KernelCall) -> None:
    """Make a sum that only copies bytes a copy.

    x + 128 of int8 is uint8 with another top bit; x + 0 of uint8 is x.
    """
    flips = {"int8_t": 128, "uint8_t": 0}
    constant, size, steps = layer.inputs[1].data, layer.shape["size"], layer.shape["x_step"]
    if constant is None or np.any(constant != flips.get(layer.inputs[0].ctype)):
        return
    image = dict(zip(("height", "width", "channels"), size[1:])) | dict(
        zip(("x_row", "x_column", "x_channel"), steps[1:])
    )
    layer.shape = (
        image | dict.fromkeys(("top", "left", "bottom", "right", "value"), 0) | {"flip": int(constant.flat[0])}
    )
    layer.kernel, layer.accumulator, layer.inputs = "ms_pad_u8", "", layer.inputs[:1]


def _join_copy(part: Part, pad: KernelCall) -> None:
    """Let `pad` read what the copy of bytes before it reads, and remove that copy."""
    copy, shape = producer(part, pad.inputs[0]), pad.shape
    if copy is None or not part.read_once(pad.inputs[0]):
        return
    size = shape["height"], shape["width"], shape["channels"]
    read = read_by(copy)
    if read is None or read.size != np.prod(size):
        return
    places = read.reshape(size)
    steps = [
        int(along[min(1, len(along) - 1)] - along[0]) for along in (places[:, 0, 0], places[0, :, 0], places[0, 0])
    ]
    if not np.array_equal(places - places[0, 0, 0], _places(size, steps)):
        return
    pad.inputs = [copy.inputs[0].root.view(copy.inputs[0].name, places)]
    pad.shape |= dict(zip(("x_row", "x_column", "x_channel"), steps)) | {"flip": copy.shape.get("flip", 0)}
    part.layers.remove(copy)


def _places(size: tuple[int, ...], steps: Sequence[int]) -> np.ndarray:
    """Return the offsets of the elements of an image of `size` that is walked with `steps`."""
    return sum(np.arange(n).reshape([-1] + [1] * (2 - axis)) * step for axis, (n, step) in enumerate(zip(size, steps)))


def read_by(copy: KernelCall) -> np.ndarray | None:
    """Return where in the memory of its input each byte of `copy`'s output comes from; None if it copies no bytes."""
    s = copy.shape
    if copy.kernel == "ms_pad_u8" and copy.operator != "Pad":
        size, steps = (s["height"], s["width"], s["channels"]), (s["x_row"], s["x_column"], s["x_channel"])
        return copy.inputs[0].start + _places(size, steps).ravel()
    if copy.kernel == "ms_copy" and copy.inputs[0].ctype == "uint8_t":
        read = np.full(copy.output.root.size, -1)
        read[s["y_start"] + walk(s, "y_step")] = s["x_start"] + walk(s, "x_step")
        return read if np.all(read >= 0) else None
    return None


def join_frames(part: Part) -> None:
    """Let a layer write into the middle of a frame, in place of the padded copy that alone reads it."""
    for pad in list(part.layers):
        if pad.kernel != "ms_pad_u8" or not _copies_in_order(pad.shape) or not part.read_once(pad.inputs[0]):
            continue
        layer = producer(part, pad.inputs[0])
        if (
            layer is None
            or layer.kernel not in ("ms_conv_u8", "ms_depthwise_u8")
            or not _gives_pixels_of(layer, pad.shape)
        ):
            continue
        image = pad.output
        middle = image.places[pad.shape["top"] :, pad.shape["left"] :][: pad.shape["height"], : pad.shape["width"]]
        row = image.shape[1] * image.shape[2]
        layer.shape |= {"y_row": row, "y_column": image.shape[2]}
        layer.output = image.view(layer.output.name, middle)
        pad.kernel, pad.operator, pad.inputs = "ms_frame_u8", "Frame", []
        part.layers.remove(pad)
        part.layers.insert(part.layers.index(layer), pad)


def _copies_in_order(s: dict) -> bool:
    """Tell whether a padded copy takes bytes as they are, in their order."""
    dense = s["width"] * s["channels"], s["channels"], 1
    return not s["flip"] and (s["x_row"], s["x_column"], s["x_channel"]) == dense


def _gives_pixels_of(layer: KernelCall, image: dict) -> bool:
    """Tell whether `layer` gives the pixels of `image`.

    A dense layer of as many rows is made one of that height and width.
    """
    s, size = layer.shape, (image["height"], image["width"])
    if (s["out_height"], s["out_width"]) != size and s["out_height"] == 1 and s["out_width"] == size[0] * size[1]:
        layer.shape |= {"out_height": size[0], "out_width": size[1], "x_row": size[1] * s["x_column"]}
    return (layer.shape["out_height"], layer.shape["out_width"]) == size and layer.shape.get(
        "filters", s.get("channels")
    ) == image["channels"]
