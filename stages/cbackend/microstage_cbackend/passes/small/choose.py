"""Put layers of bytes on the kernels for small machines."""

from __future__ import annotations

import numpy as np

from microstage_cbackend.kernels.small.layouts import small_depth
from microstage_cbackend.kernels.small.pairs import filters_together
from microstage_cbackend.kernels.small.sizes import conv_scratch, depthwise_scratch
from microstage_cbackend.passes.absorb import raise_read
from microstage_cbackend.passes.fuse import SUMMING
from microstage_cbackend.passes.small.fit_line import fit_line
from microstage_cbackend.passes.small.sources import Source, source_of
from microstage_cbackend.passes.specialise import as_unsigned, residual, taps
from microstage_cbackend.program.fits import one_step
from microstage_cbackend.program.ir import KernelCall, Part, Tensor
from microstage_cbackend.program.requantise import MultiplyAddShift, Raw

__all__ = ["choose_kernels"]

_WORTH = 128
"Weights below which packing into fewer bits saves less flash than it costs time."
_DENSE = {"kernel_h": 1, "kernel_w": 1, "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1}
_UNPADDED = {"pad_top": 0, "pad_left": 0, "pad_value": 0}


def choose_kernels(part: Part) -> None:
    """Choose a kernel for small machines for every layer that one can take."""
    as_unsigned(part)
    for layer in part.layers:
        if not _fits(layer):
            continue
        line = isinstance(layer.stage, MultiplyAddShift) and layer.output.ctype in ("uint8_t", "int8_t")
        if layer.kernel in SUMMING:
            raw = isinstance(layer.stage, Raw) and layer.output.ctype == "int32_t" and layer.kernel != "ms_depthwise"
            if (line or raw) and _whole_weights(layer) and _sees_bytes(layer):
                _sum(part, layer)
        elif line and isinstance(layer.stage, MultiplyAddShift):
            _move(layer, layer.stage)


def _fits(layer: KernelCall) -> bool:
    """Tell whether sums have 32 bits in any order, and nothing is added to them."""
    return layer.accumulator in ("", "int32_t") and max(map(abs, layer.partial)) < 2**31 and layer.bias is None


def _whole_weights(layer: KernelCall) -> bool:
    """Tell whether every filter sees all channels, or one, and weights are bytes."""
    groups = layer.shape.get("groups", 1)
    return layer.inputs[1].ctype == "int8_t" and (layer.kernel != "ms_conv2d" or groups == 1)


def _sees_bytes(layer: KernelCall) -> bool:
    """Tell whether bytes come in; signed ones are seen plus 128, which the stage takes up."""
    x = layer.inputs[0]
    return x.ctype == "uint8_t" or (x.ctype == "int8_t" and isinstance(layer.stage, MultiplyAddShift))


def _sum(part: Part, layer: KernelCall) -> None:
    """Put a layer that sums products on ms_small_conv or ms_small_depthwise."""
    image = _image(layer)
    source = source_of(part, layer.inputs[0], (image["height"], image["width"], image["channels"]))
    if layer.inputs[0].ctype == "int8_t":
        raise_read(layer, 0, 128)
    weights = _rows(layer, source)
    s = {**image, **source.shape, "pad_value": layer.shape.get("pad_value", 0)}
    depthwise = layer.kernel == "ms_depthwise"
    bits = 8 if depthwise else _bits(weights)
    depth = weights.shape[1] if depthwise else small_depth(weights.shape[1])
    layer.shape = {**s, "bits": bits, "depth": depth, "together": 1}
    if not depthwise:
        layer.shape["together"] = filters_together(weights, layer.shape, max(map(abs, layer.partial)))
    w = layer.inputs[1]
    layer.inputs = [source.tensor, Tensor(w.name, weights.shape, w.low, w.high, weights, declared="int8_t")]
    layer.scratch = depthwise_scratch(layer.shape) if depthwise else conv_scratch(layer.shape)
    layer.kernel = "ms_small_depthwise" if depthwise else "ms_small_conv"
    layer.remark += f"; weights of {bits} bit{'s' * (bits > 1)}" * (bits < 8)
    _settle(part, layer)


def _image(layer: KernelCall) -> dict[str, int]:
    """Return the sizes of ms_small_conv_shape that the layer itself says."""
    s = layer.shape
    if layer.kernel == "ms_linear":
        sizes = {"planes": 1, "height": 1, "width": s["rows"], "channels": s["depth"], "out_height": 1}
        return sizes | {"out_width": s["rows"], "filters": s["columns"]} | _DENSE | _UNPADDED
    taken = ("height", "width", "channels", "out_height", "out_width", "filters", *_DENSE, *_UNPADDED)
    return {"planes": 1} | {name: s[name] for name in taken}


def _rows(layer: KernelCall, source: Source) -> np.ndarray:
    """Return the weights [filters, patch] in the order of the patch."""
    w = layer.weights
    if layer.kernel == "ms_depthwise":
        return np.ascontiguousarray(w.reshape(-1, w.shape[-1]).T)
    if layer.kernel == "ms_conv2d" and source.planes:
        w = np.moveaxis(w, -1, 1)
    return np.ascontiguousarray(w.reshape(len(w), -1))


def _bits(w: np.ndarray) -> int:
    """Count the bits in which weights lie: 1 (-1 and +1), 2, 4 or 8; 3 lie in 4."""
    if w.size < _WORTH:
        return 8
    if np.all(np.abs(w) == 1):
        return 1
    return next((b for b in (2, 4) if -(2 ** (b - 1)) <= w.min() and w.max() < 2 ** (b - 1)), 8)


def _settle(part: Part, layer: KernelCall) -> None:
    """Choose how sums become what is stored: a line of eight bytes a channel, where one is proven equal."""
    if isinstance(layer.stage, Raw):
        layer.kernel += "_sums"
        return
    stage = layer.stage
    assert isinstance(stage, MultiplyAddShift)
    flip = 128 if layer.output.ctype == "int8_t" else 0
    line = fit_line(layer, stage, flip)
    proof = {"layer": layer.node, "operator": layer.operator, "machine": "small", "sums": list(layer.partial)}
    if line is None:
        layer.stage, layer.kernel = one_step(stage), f"{layer.kernel}_requant"
        part.proofs.append(proof | {"form": "requant", "shift": stage.shift})
        return
    layer.stage = line.form
    q = line.form.constants
    layer.inputs.append(Tensor(f"{layer.output.name}_line", q.shape, int(q.min()), int(q.max()), q, declared="int32_t"))
    part.proofs.append(proof | {"form": "line", "shift": line.form.shift, "steps_compared": line.compared})


def _move(layer: KernelCall, stage: MultiplyAddShift) -> None:
    """Put a sum of two tensors, or of windows, on its kernel."""
    if layer.inputs[0].ctype != "uint8_t":
        return
    if layer.kernel == "ms_blend":
        residual(layer, stage)
        layer.kernel = {"ms_add_u8": "ms_small_add"}.get(layer.kernel, layer.kernel)
    elif layer.kernel == "ms_sum_pool" and layer.shape["outer"] == 1:
        s = layer.shape
        if s["pad_top"] + s["pad_left"] == 0:
            layer.stage, layer.kernel, layer.shape = one_step(stage), "ms_small_average", taps(s, s["inner"])
