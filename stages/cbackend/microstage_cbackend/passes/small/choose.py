"""Put layers of bytes on the kernels for small machines."""

from __future__ import annotations

from microstage.requantise import MultiplyAddShift, Raw
from microstage_cbackend.passes.absorb import raise_read
from microstage_cbackend.passes.fuse import SUMMING
from microstage_cbackend.passes.small.convolution import fits, on_conv, on_depthwise
from microstage_cbackend.passes.small.fit_line import fit_line
from microstage_cbackend.passes.specialise import as_unsigned, residual, taps
from microstage_cbackend.program.ir import KernelCall, Part, Tensor
from microstage_cbackend.program.one_step import one_step

__all__ = ["choose_kernels"]


def choose_kernels(part: Part) -> None:
    """Choose a kernel for small machines for every layer that one can take."""
    as_unsigned(part)
    for layer in part.layers:
        if not fits(layer):
            continue
        line = isinstance(layer.stage, MultiplyAddShift) and layer.output.ctype in ("uint8_t", "int8_t")
        if layer.kernel in SUMMING:
            raw = isinstance(layer.stage, Raw) and layer.output.ctype == "int32_t" and layer.kernel != "ms_depthwise"
            if (line or raw) and _whole_weights(layer) and _sees_bytes(layer):
                _sum(part, layer)
        elif line and isinstance(layer.stage, MultiplyAddShift):
            _move(layer, layer.stage)


def _whole_weights(layer: KernelCall) -> bool:
    """Tell whether every filter sees all channels, or one, and weights are bytes."""
    groups = layer.shape.get("groups", 1)
    return layer.inputs[1].ctype == "int8_t" and (layer.kernel != "ms_conv2d" or groups == 1)


def _sees_bytes(layer: KernelCall) -> bool:
    """Tell whether bytes come in; signed ones are seen plus 128, which the stage takes up."""
    x = layer.inputs[0]
    return x.ctype == "uint8_t" or (x.ctype == "int8_t" and isinstance(layer.stage, MultiplyAddShift))


def _sum(part: Part, layer: KernelCall) -> None:
    """Put a layer that sums products on its kernel."""
    if layer.inputs[0].ctype == "int8_t":
        raise_read(layer, 0, 128)
    (on_depthwise if layer.kernel == "ms_depthwise" else on_conv)(part, layer)
    if isinstance(layer.stage, MultiplyAddShift):
        _settle(part, layer, layer.stage)


def _settle(part: Part, layer: KernelCall, stage: MultiplyAddShift) -> None:
    """Choose how sums become what is stored: a line of eight bytes a channel, where one is proven equal."""
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
    part.proofs.append(proof | {"form": line.form.form, "shift": line.form.shift, "steps_compared": line.compared})


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
