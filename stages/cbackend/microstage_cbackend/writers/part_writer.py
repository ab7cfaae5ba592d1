"""Write the C of one part: its signature, one kernel call per layer, its constants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from microstage_cbackend.kernels.templates import KernelSet
from microstage_cbackend.program.arguments import SPECIALISED, StageArray, layouts_of, lines_of, operands, stage_of
from microstage_cbackend.program.ir import KernelCall, Part, Tensor, type_range
from microstage_cbackend.program.memory import plan_memory
from microstage_cbackend.program.products import products_of
from microstage_cbackend.writers.constants import Constants
from microstage_cbackend.writers.names import Names, filled, quoted
from microstage_cbackend.writers.signatures import signature
from microstage_cbackend.writers.stage_text import rounding, stage_text

__all__ = ["PartWriter"]

_WITH_BIAS = ("ms_linear", "ms_linear_packed", "ms_conv2d", "ms_conv2d_packed", "ms_depthwise")
_STRUCTS = {
    "ms_add": "ms_pair_shape",
    "ms_mul": "ms_pair_shape",
    "ms_linear_packed": "ms_linear_shape",
    "ms_conv2d_packed": "ms_conv2d_shape",
    "ms_depthwise": "ms_conv2d_shape",
    "ms_or_pool": "ms_max_pool_shape",
    "ms_average_u8": "ms_depthwise_u8_shape",
    "ms_frame_u8": "ms_pad_u8_shape",
    **dict.fromkeys(
        (
            "ms_small_conv_sums",
            "ms_small_conv_requant",
            "ms_small_depthwise",
            "ms_small_depthwise_requant",
        ),
        "ms_small_conv_shape",
    ),
    "ms_small_add": "ms_add_u8_shape",
    "ms_small_average": "ms_depthwise_u8_shape",
    **dict.fromkeys(("ms_conv_u8_sums", "ms_xnor_sums", "ms_xnor_bits"), "ms_conv_u8_shape"),
    **dict.fromkeys(("ms_small_xnor_sums", "ms_small_xnor_bits"), "ms_conv_u8_shape"),
}
"Kernels whose shape is a structure that is not called as they are."


class PartWriter:
    """Write one part: `name` and `signature` are known at once, `lines` are those of its body.

    `constants` holds the arrays that the body refers to, `headers` those of the specialised kernels that it calls,
    `stored` the bytes of constants that each layer brings; one that several read counts where it is read first.
    `beside`: the writer of the same part for other machines, whose constants have the same names.
    """

    def __init__(
        self, model: str, part: Part, kernels: KernelSet, free: Names, beside: PartWriter | None = None
    ) -> None:
        self.model, self.part, self.kernels = model, part, kernels
        self.function = f"{model}_{part.name}"
        self.constants: Constants = Constants(self.function, free, beside.constants if beside else None)
        self.plan = plan_memory(part)
        self.headers: set[str] = set()
        self.stored: list[int] = []
        self._free = Names(model)
        self._structures: dict[str, str] = {}
        self._names = self._variables()
        self.lines = self._body()

    def _variables(self) -> dict[Tensor, str]:
        """Name the arguments and the buffers of the function."""
        inputs, outputs = self.part.inputs, self.part.outputs
        given, made = self._free.arguments([t.name for t in inputs], self.part.output_names)
        buffers = {tensor: self._free.fresh(tensor.name) for tensor in self.plan.buffers}
        return {**dict(zip(inputs, given)), **dict(zip(outputs, made)), **buffers}

    def name(self, tensor: Tensor) -> str:
        """Return the variable that `tensor` lies in."""
        return self._names[tensor.root]

    def signature(self) -> str:
        """Return the prototype of the part, without its semicolon."""
        arguments = [f"const {t.ctype} {self.name(t)}[{t.size}]" for t in self.part.inputs]
        arguments += [f"{t.ctype} {self.name(t)}[{t.size}]" for t in self.part.outputs]
        return signature(f"{self.model}_status", self.function, [f"const {self.model}_ctx *ctx", *arguments])

    def _body(self) -> list[str]:
        layers = [line for number, layer in enumerate(self.part.layers) for line in ["", *self._counted(number, layer)]]
        end = ["", f"    return {self.model.upper()}_OK;"]
        return [*self._checks(), "", *self._fixed(), *self._buffers(), *layers, *end]

    def _checks(self) -> list[str]:
        """Return the lines that refuse null pointers and inputs out of their range."""
        pointers = ["ctx", "ctx->arena", *(self.name(t) for t in (*self.part.inputs, *self.part.outputs))]
        lines = filled(f"if ({' || '.join(f'!{p}' for p in pointers)}) {{")
        lines += [f"        return {self.model.upper()}_NULL;", "    }"]
        for t in self.part.inputs:
            if (t.low, t.high) != type_range(t.ctype):
                call = f"{self.kernels.within(t.ctype)}({self.name(t)}, {t.size}, {t.low}, {t.high})"
                lines += [f"    if (!{call}) {{", f"        return {self.model.upper()}_OUT_OF_RANGE;", "    }"]
        return lines

    def _fixed(self) -> list[str]:
        """Return the definitions of sizes and of stages without arrays: constants, so that none lies on the stack."""
        return [
            line
            for text, name in self._structures.items()
            for line in filled(f"static const {text.replace('@', name)};")
        ]

    def _structure(self, ctype: str, members: str) -> str:
        """Return the address of a constant structure; layers with equal ones share it."""
        text = f"{ctype} @ = {{{members}}}"
        if text not in self._structures:
            self._structures[text] = self._free.fresh("shape" if ctype.endswith("_shape") else "stage")
        return f"&{self._structures[text]}"

    def _buffers(self) -> list[str]:
        """Return the declarations of what lies in the arena."""
        lines = ["    unsigned char *const memory = (unsigned char *)ctx->arena->words;"] if self.plan.size else []
        for tensor, buffer in self.plan.buffers.items():
            ctype, used = tensor.ctype, f"{tensor.size}, layers {buffer.first + 1} to {buffer.last + 1}"
            lines.append(
                f"    {ctype} *const {self.name(tensor)} = ({ctype} *)(void *)(memory + {buffer.offset}); /* {used} */"
            )
        return lines

    def _counted(self, number: int, layer: KernelCall) -> list[str]:
        """Return the lines of one layer, and note the bytes of the constants that are new with it."""
        before = set(self.constants.by_name)
        lines = self._layer(number, layer)
        self.stored.append(sum(held.bytes for name, held in self.constants.by_name.items() if name not in before))
        return lines

    def layers(self) -> list[dict[str, Any]]:
        """Say of each layer which tensor it gives, what it computes, and how many bytes of constants it brings."""
        return [
            {"gives": layer.output.name, "operator": layer.operator, "kernel": layer.kernel, "bytes": stored}
            for layer, stored in zip(self.part.layers, self.stored)
        ]

    def _layer(self, number: int, layer: KernelCall) -> list[str]:
        """Return the comment and the call of one layer."""
        operands, y = " x ".join(f"{t.ctype} {list(t.shape)}" for t in layer.inputs), layer.output
        result = f"{y.ctype} {list(y.shape)} in {y.root.low}..{y.root.high}"
        products = f"{count:,} products" if (count := products_of(layer)) else ""
        remark = "; ".join(filter(None, [result, layer.remark, rounding(layer.stage), products]))
        comment = f"{number + 1}. {quoted(layer.node)} ({layer.operator}): {operands} -> {remark}."
        specialised = layer.kernel in SPECIALISED
        arguments = self._specialised(number, layer) if specialised else self._arguments(number, layer)
        function = layer.kernel if specialised else self.kernels.of(layer)
        return [*filled(comment + " */", "    /* ", "     * "), *filled(f"{function}({', '.join(arguments)});")]

    def _arguments(self, number: int, layer: KernelCall) -> list[str]:
        """Return the arguments of a plain kernel."""
        arguments = [self._reference(t) for t in layer.inputs]
        if layer.kernel in _WITH_BIAS:
            arguments.append(self.constants.add(layer.bias) if layer.bias else "NULL")
        arguments += self._stage(layer)
        if layer.working:
            arguments.append(f"({layer.working[0]} *)(void *)(memory + {self.plan.scratch[number].offset})")
        arguments += [self._reference(layer.output), self._shape(layer)]
        return arguments + ([str(layer.packed_bits)] if layer.packed_bits else [])

    def _shape(self, layer: KernelCall) -> str:
        """Return the argument that tells a kernel the sizes of its layer."""
        members = ", ".join(f".{key} = {_value(value)}" for key, value in layer.shape.items())
        return self._structure(_STRUCTS.get(layer.kernel, f"{layer.kernel}_shape"), members)

    def _stage(self, layer: KernelCall) -> list[str]:
        """Return the argument that tells a kernel its stage, if it takes one."""
        stage = stage_of(layer)
        if stage is None:
            return []
        members, ctype = stage_text(stage, layer.output.name, self.constants), f"ms_{stage.kind}"
        if any(isinstance(value, StageArray) for value in stage.members.values()):
            return [f"&(const {ctype}){{{members}}}"]  # a constant that held addresses would be written by a loader
        return [self._structure(ctype, members) if members else "NULL"]

    def _specialised(self, number: int, layer: KernelCall) -> list[str]:
        """Return the arguments of a kernel in a header; its shape and stage are constants that the compiler knows."""
        self.headers.add(SPECIALISED[layer.kernel])
        x, w, third, y = operands(layer)
        arguments = [
            self._packed(t, layouts_of(layer)) if t.data is not None else self._as_bytes(t, "const uint8_t *")
            for t in (x, w)
            if t is not None
        ]
        lines = lines_of(layer)
        if third is not None and lines:
            arguments.append(self._packed(third, lines))
        arguments.append(self._as_bytes(y, "uint8_t *"))
        if number in self.plan.scratch:
            arguments.append(f"memory + {self.plan.scratch[number].offset}")
        if third is not None and not lines:
            arguments.append(self.constants.add(third))
        elif layer.signs:
            arguments.append(str(layer.signs))
        return [*arguments, self._shape(layer), *self._stage(layer)]

    def _as_bytes(self, tensor: Tensor, pointer: str) -> str:
        text = self._reference(tensor)
        return f"({pointer})({text})" if tensor.ctype == "int8_t" else text

    def _packed(self, constant: Tensor, forms: Mapping[str, np.ndarray]) -> str:
        """Return the name of a constant in `forms`, the orders that kernels/README.md describes."""
        if all(form is constant.data for form in forms.values()):
            return self.constants.add(constant)
        return self.constants.add_packed(constant, forms)

    def _reference(self, tensor: Tensor) -> str:
        if tensor.data is not None:
            return self.constants.add(tensor)
        return self.name(tensor) + (f" + {tensor.start}" if tensor.start else "")


def _value(value: int | list[int]) -> str:
    return "{" + ", ".join(map(str, value)) + "}" if isinstance(value, list) else str(value)
