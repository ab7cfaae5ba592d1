"""C text of one part: its signature, one kernel call per layer, its constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage_cbackend.kernels.layouts import pack_blocks, pack_depthwise_blocks, pack_rows, wide_shift
from microstage_cbackend.kernels.templates import KernelSet
from microstage_cbackend.program.ir import KernelCall, Part, Tensor, type_range
from microstage_cbackend.program.requantise import MultiplyAddShift, Search, Shared
from microstage_cbackend.program.wide import Wide
from microstage_cbackend.writers.memory_plan import plan_memory
from microstage_cbackend.writers.names import Names, filled, quoted

__all__ = ["Packed", "PartWriter", "rows"]

_WITH_BIAS = ("ms_linear", "ms_linear_packed", "ms_conv2d", "ms_conv2d_packed", "ms_depthwise")
_STRUCTS = {
    "ms_add": "ms_pair_shape",
    "ms_mul": "ms_pair_shape",
    "ms_linear_packed": "ms_linear_shape",
    "ms_conv2d_packed": "ms_conv2d_shape",
    "ms_depthwise": "ms_conv2d_shape",
    "ms_or_pool": "ms_max_pool_shape",
}
_SPECIALISED = {
    f"ms_{name}": f"ms_{name}.h" for name in ("conv_u8", "depthwise_u8", "average_u8", "add_u8", "pad_u8", "pack")
}
_SPECIALISED |= {
    "ms_conv_u8_sums": "ms_conv_u8.h",
    "ms_frame_u8": "ms_pad_u8.h",
    "ms_xnor_sums": "ms_xnor.h",
    "ms_xnor_bits": "ms_xnor.h",
}
"Kernels in headers, made anew for the sizes of each layer -> their header."
_SHAPES = {"ms_average_u8": "ms_depthwise_u8_shape", "ms_frame_u8": "ms_pad_u8_shape"}
_SHAPES |= dict.fromkeys(("ms_conv_u8_sums", "ms_xnor_sums", "ms_xnor_bits"), "ms_conv_u8_shape")


@dataclass
class Packed:
    """A constant in several orders, of which the compiler takes the one that its instructions read: condition ->
    integers; "" is the last."""

    tensor: Tensor
    forms: dict[str, np.ndarray]


class PartWriter:
    """C names and text of one part; `constants` holds its arrays by name after `body` was written."""

    def __init__(self, model: str, part: Part, kernels: KernelSet, constants: Names) -> None:
        self.model, self.part, self.kernels, self._free = model, part, kernels, constants
        self.constants: dict[str, Tensor | Packed] = {}
        self.headers: set[str] = set()
        self.plan = plan_memory(part)
        self._names, self._of = Names(model), {}
        called = self._names.arguments([t.name for t in part.inputs], part.output_names)
        for tensors, names in zip((part.inputs, part.outputs), called):
            self._of |= {id(tensor): name for tensor, name in zip(tensors, names)}
        for buffer in self.plan.buffers:
            self._of[id(buffer.tensor)] = self._names.fresh(buffer.tensor.name)
        self._body = self._write()

    @property
    def function(self) -> str:
        return f"{self.model}_{self.part.name}"

    def name(self, tensor: Tensor) -> str:
        return self._of[id(tensor.root)]

    def signature(self) -> str:
        arguments = [f"const {t.ctype} {self.name(t)}[{t.size}]" for t in self.part.inputs]
        arguments += [f"{t.ctype} {self.name(t)}[{t.size}]" for t in self.part.outputs]
        start = f"{self.model}_status {self.function}("
        return "\n".join(
            filled(start + ", ".join([f"const {self.model}_ctx *ctx", *arguments]) + ")", "", " " * len(start))
        )

    def body(self) -> list[str]:
        return self._body

    def _write(self) -> list[str]:
        layers = [line for number, layer in enumerate(self.part.layers) for line in ["", *self._layer(number, layer)]]
        pointers = ["ctx", "ctx->arena", *(self.name(t) for t in (*self.part.inputs, *self.part.outputs))]
        lines = filled(f"if ({' || '.join(f'!{p}' for p in pointers)}) {{")
        lines += [f"        return {self.model.upper()}_NULL;", "    }"]
        for t in self.part.inputs:
            if (t.low, t.high) != type_range(t.ctype):
                call = f"{self.kernels.within(t.ctype)}({self.name(t)}, {t.size}, {t.low}, {t.high})"
                lines += [f"    if (!{call}) {{", f"        return {self.model.upper()}_OUT_OF_RANGE;", "    }"]
        if self.plan.size:
            lines += ["", "    unsigned char *const memory = (unsigned char *)ctx->arena->words;"]
        for b in self.plan.buffers:
            ctype, name = b.tensor.ctype, self.name(b.tensor)
            lines.append(
                f"    {ctype} *const {name} = ({ctype} *)(memory + {b.offset}); /* {b.tensor.size}, layers "
                f"{b.first + 1} to {b.last + 1} */"
            )
        return [*lines, *layers, "", f"    return {self.model.upper()}_OK;"]

    def _layer(self, number: int, layer: KernelCall) -> list[str]:
        operands = " x ".join(f"{t.ctype} {list(t.shape)}" for t in layer.inputs)
        y = layer.output
        result = f"{y.ctype} {list(y.shape)} in {y.root.low}..{y.root.high}"
        remark = "; ".join(filter(None, [layer.remark, _rounding(layer)]))
        comment = (
            f"{number + 1}. {quoted(layer.node)} ({layer.operator}): {operands} -> "
            f"{result}{'; ' + remark if remark else ''}."
        )
        specialised = layer.kernel in _SPECIALISED
        arguments = self._specialised(number, layer) if specialised else self._arguments(number, layer)
        function = layer.kernel if specialised else self.kernels.of(layer)
        return [
            *filled(comment + " */", "    /* ", "     * "),
            *filled(f"{function}({', '.join(arguments)});"),
        ]

    def _arguments(self, number: int, layer: KernelCall) -> list[str]:
        arguments = [self._reference(t) for t in layer.inputs]
        if layer.kernel in _WITH_BIAS:
            arguments.append(self._constant(layer.bias) if layer.bias else "NULL")
        if layer.stage:
            arguments.append(self._stage(layer))
        if layer.working:
            arguments.append(f"({layer.working[0]} *)(memory + {self.plan.scratch[number].offset})")
        struct = _STRUCTS.get(layer.kernel, f"{layer.kernel}_shape")
        members = ", ".join(f".{key} = {_value(value)}" for key, value in layer.shape.items())
        arguments += [self._reference(layer.output), f"&(const {struct}){{{members}}}"]
        return arguments + ([str(layer.extra)] if layer.extra is not None else [])

    def _specialised(self, number: int, layer: KernelCall) -> list[str]:
        """Arguments of a kernel in a header; its shape and stage are constants that the compiler knows."""
        self.headers.add(_SPECIALISED[layer.kernel])
        arguments = [
            self._bytes(layer, t) if t.data is not None else self._as_bytes(t, "const uint8_t *")
            for t in layer.inputs[:2]
        ]
        arguments.append(self._as_bytes(layer.output, "uint8_t *"))
        if layer.kernel in ("ms_conv_u8", "ms_conv_u8_sums"):
            arguments.append(f"memory + {self.plan.scratch[number].offset}")
        elif layer.kernel == "ms_xnor_bits":
            arguments.append(self._constant(layer.inputs[2]))
        elif layer.kernel == "ms_xnor_sums":
            arguments.append(str(layer.extra))
        members = ", ".join(f".{key} = {_value(value)}" for key, value in layer.shape.items())
        arguments.append(f"&(const {_SHAPES.get(layer.kernel, f'{layer.kernel}_shape')}){{{members}}}")
        return arguments + (
            [self._requant(layer)] if isinstance(layer.stage, MultiplyAddShift) and layer.kernel != "ms_add_u8" else []
        )

    def _as_bytes(self, tensor: Tensor, pointer: str) -> str:
        text = self._reference(tensor)
        return f"({pointer})({text})" if tensor.ctype == "int8_t" else text

    def _bytes(self, layer: KernelCall, w: Tensor) -> str:
        """Weights in the orders that kernels/README.md describes."""
        name = self._constant(w)
        if layer.kernel in ("ms_conv_u8", "ms_conv_u8_sums"):
            bits = layer.shape["bits"]
            self.constants[name] = Packed(w, {"MS_BLOCKED": pack_blocks(w.data, bits), "": pack_rows(w.data, bits)})
        elif layer.kernel == "ms_depthwise_u8":
            self.constants[name] = Packed(
                w, {"MS_DEPTHWISE_BLOCKED": pack_depthwise_blocks(w.data.transpose(2, 0, 1)), "": w.data}
            )
        return name

    def _requant(self, layer: KernelCall) -> str:
        stage, name = layer.stage, layer.output.name
        flip = 128 if layer.output.ctype == "int8_t" else 0
        offset = stage.offset + (flip << stage.shift) + (1 << (stage.shift - 1) if stage.even else 0)
        multiplier, offset, shift = wide_shift(stage.multiplier, offset, stage.shift)
        arrays = (
            self._array(f"{name}_multiplier", multiplier, "int32_t"),
            self._array(f"{name}_offset", offset, "int64_t"),
        )
        numbers = f".shift = {shift}, .low = {stage.low + flip}, .high = {stage.high + flip}"
        numbers += f", .even = {int(stage.even)}, .zero = {int(stage.odd)}, .flip = {flip}"
        if stage.kink is not None:
            more = shift - stage.shift
            kink = self._array(f"{name}_kink", stage.kink << more, "int64_t")
            numbers += f", .kink = {kink}, .edge = {(stage.edge + (flip << stage.shift)) << more}"
        return f"&(const ms_requant){{.multiplier = {arrays[0]}, .offset = {arrays[1]}, {numbers}}}"

    def _reference(self, tensor: Tensor) -> str:
        if tensor.data is not None:
            return self._constant(tensor)
        return self.name(tensor) + (f" + {tensor.start}" if tensor.start else "")

    def _constant(self, tensor: Tensor) -> str:
        if id(tensor) not in self._of:
            name = self._of[id(tensor)] = self._free.fresh(f"{self.function}_{tensor.name}")
            self.constants[name] = tensor
        return self._of[id(tensor)]

    def _stage(self, layer: KernelCall) -> str:
        stage, name = layer.stage, layer.output.name
        if isinstance(stage, Search):
            width = stage.kind.removeprefix("search")
            thresholds = self._array(f"{name}_thresholds", stage.thresholds, f"int{width}_t")
            rows, levels = stage.thresholds.shape
            members = (
                f".thresholds = {thresholds}, .rows = {rows}, .levels = {levels}, .scale = {stage.scale}, "
                f".bias = {stage.bias}"
            )
        elif isinstance(stage, Shared):
            thresholds, offset = (
                self._array(f"{name}_{what}", getattr(stage, what), "int32_t") for what in ("thresholds", "offset")
            )
            members = f".thresholds = {thresholds}, .offset = {offset}, .levels = {stage.thresholds.size}"
            members += f", .shift = {stage.shift}, .bias = {stage.bias}"
        elif isinstance(stage, MultiplyAddShift):
            multiplier = self._array(f"{name}_multiplier", stage.multiplier, "int32_t")
            offset = self._array(f"{name}_offset", stage.offset, "int64_t" if stage.wide else "int32_t")
            members = (
                f".multiplier = {multiplier}, .offset = {offset}, .shift = {stage.shift}, .low = {stage.low}, "
                f".high = {stage.high}"
            )
            members += f", .odd = {int(stage.odd)}" if stage.even else ""
            if stage.kink is not None:
                members += f", .kink = {self._array(f'{name}_kink', stage.kink, 'int64_t')}, .edge = {stage.edge}"
        elif isinstance(stage, Wide):
            types = {"upper": "int64_t", "addend": "int64_t", "lower": "int32_t", "fine": "int32_t"}
            arrays = {what: self._array(f"{name}_{what}", values, types[what]) for what, values in stage.parts.items()}
            members = "".join(f".{what} = {array}, " for what, array in arrays.items())
            members += (
                f".shift = {stage.shift - stage.lift}, .low = {stage.low}, .high = {stage.high}, .odd = "
                f"{int(stage.odd)}"
            )
            members += f", .ties = {stage.ties >> stage.lift}"
        else:
            return "NULL"
        return f"&(const ms_{stage.kind}){{{members}}}"

    def _array(self, name: str, values: np.ndarray, ctype: str) -> str:
        if not values.size:
            return "NULL"
        return self._constant(Tensor(name, values.shape, int(values.min()), int(values.max()), values, declared=ctype))


def _rounding(layer: KernelCall) -> str:
    stage = layer.stage
    if isinstance(stage, Wide):
        return (
            f"multiply, add, shift by {stage.shift}, in parts of 64 bits"
            if stage.split
            else f"multiply, add, shift by {stage.shift}"
        )
    if not isinstance(stage, MultiplyAddShift):
        return ""
    rounded = (
        f"half to {'odd' if stage.odd else 'even'}"
        if stage.even
        else "down"
        if stage.kink is None
        else "down, lower below a kink"
    )
    return f"multiply, add, shift by {stage.shift}, {rounded}"


def _value(value: int | list[int]) -> str:
    return "{" + ", ".join(map(str, value)) + "}" if isinstance(value, list) else str(value)


def rows(values: np.ndarray, per_line: int = 20) -> list[str]:
    """Initialiser lines of `per_line` integers each."""
    if values.dtype == np.uint64:
        texts, per_line = [f"0x{int(v):016x}u" for v in values], 5
    else:
        texts = [str(int(v)) if v > -(2**63) else "INT64_MIN" for v in values]
    return ["    " + ", ".join(texts[i : i + per_line]) + "," for i in range(0, len(texts), per_line)]
