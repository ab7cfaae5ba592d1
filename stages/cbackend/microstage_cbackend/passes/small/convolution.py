"""Make a layer that sums products of bytes a call of ms_small_conv or ms_small_depthwise, but for its stage."""

from __future__ import annotations

import numpy as np

from microstage.requantise import Raw
from microstage_cbackend.kernels.small.layouts import small_depth
from microstage_cbackend.kernels.small.pairs import filters_together
from microstage_cbackend.kernels.small.sizes import conv_scratch, depthwise_scratch
from microstage_cbackend.passes.small.sources import ImageSource, source_of
from microstage_cbackend.program.ir import KernelCall, Part, Tensor

__all__ = ["fits", "fits_word", "on_conv", "on_depthwise"]

_WORTH = 128
"Weights below which packing into fewer bits saves less flash than it costs time."
_DENSE = {"kernel_h": 1, "kernel_w": 1, "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1}
_UNPADDED = {"pad_top": 0, "pad_left": 0, "pad_value": 0}


def fits_word(layer: KernelCall) -> bool:
    """Tell whether sums have 32 bits in any order."""
    return layer.accumulator in ("", "int32_t") and max(map(abs, layer.partial)) < 2**31


def fits(layer: KernelCall) -> bool:
    """Tell whether sums have 32 bits in any order, and nothing is added to them."""
    return fits_word(layer) and layer.bias is None


def on_conv(part: Part, layer: KernelCall) -> None:
    """Put a dense layer or a convolution on ms_small_conv; signed bytes are seen plus 128."""
    weights = _reads(part, layer)
    bits = _bits(weights)
    layer.shape |= {"bits": bits, "depth": small_depth(weights.shape[1]), "together": 1}
    layer.shape["together"] = filters_together(weights, layer.shape, max(map(abs, layer.partial)))
    layer.scratch = conv_scratch(layer.shape)
    layer.kernel = "ms_small_conv_sums" if isinstance(layer.stage, Raw) else "ms_small_conv"
    layer.remark += f"; weights of {bits} bit{'s' * (bits > 1)}" * (bits < 8)


def on_depthwise(part: Part, layer: KernelCall) -> None:
    """Put a depthwise convolution on ms_small_depthwise."""
    weights = _reads(part, layer)
    layer.shape |= {"bits": 8, "depth": weights.shape[1], "together": 1}
    layer.kernel, layer.scratch = "ms_small_depthwise", depthwise_scratch(layer.shape)


def _reads(part: Part, layer: KernelCall) -> np.ndarray:
    """Let `layer` read bytes where they lie; return its weights in the order in which it then sees them."""
    image = _image(layer)
    size = (image["height"], image["width"], image["channels"])
    source = source_of(part, layer.inputs[0], size, planes=layer.kernel != "ms_depthwise")
    weights, w = _rows(layer, source), layer.inputs[1]
    layer.inputs = [source.tensor, Tensor(w.name, weights.shape, w.low, w.high, weights, declared="int8_t")]
    layer.shape = {**image, **source.shape}
    return weights


def _image(layer: KernelCall) -> dict[str, int]:
    """Return the sizes of ms_small_conv_shape that the layer itself says."""
    s = layer.shape
    if layer.kernel == "ms_linear":
        sizes = {"planes": 1, "height": 1, "width": s["rows"], "channels": s["depth"], "out_height": 1}
        return sizes | {"out_width": s["rows"], "filters": s["columns"]} | _DENSE | _UNPADDED
    taken = ("height", "width", "channels", "out_height", "out_width", "filters", *_DENSE, *_UNPADDED)
    return {"planes": 1} | _lying({name: s[name] for name in taken})


def _lying(sizes: dict[str, int]) -> dict[str, int]:
    """Return an image of one column, and its kernel, as a row: bytes are the same, and kernels walk rows."""
    if sizes["height"] == 1 or (sizes["width"], sizes["kernel_w"], sizes["pad_left"]) != (1, 1, 0):
        return sizes
    pairs = (("height", "width"), ("out_height", "out_width"), ("pad_top", "pad_left"))
    names = dict([*pairs, *((f"{name}_h", f"{name}_w") for name in ("kernel", "stride", "dilation"))])
    return {**sizes, **{a: sizes[b] for a, b in names.items()}, **{b: sizes[a] for a, b in names.items()}}


def _rows(layer: KernelCall, source: ImageSource) -> np.ndarray:
    """Return the weights [filters, patch] in the order of the patch."""
    w = layer.weights
    if layer.kernel == "ms_depthwise":
        return np.ascontiguousarray(w.reshape(-1, w.shape[-1]).T)
    if layer.kernel == "ms_conv2d" and source.planes:
        w = np.moveaxis(w.reshape(len(w), -1, layer.shape["channels"]), -1, 1)
    return np.ascontiguousarray(w.reshape(len(w), -1))


def _bits(w: np.ndarray) -> int:
    """Count the bits in which weights lie: 1 (-1 and +1), 2, 4 or 8; 3 lie in 4."""
    if w.size < _WORTH:
        return 8
    if np.all(np.abs(w) == 1):
        return 1
    return next((b for b in (2, 4) if -(2 ** (b - 1)) <= w.min() and w.max() < 2 ** (b - 1)), 8)
