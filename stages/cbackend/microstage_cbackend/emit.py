"""Writes a model's C: <model>.h, <model>.c, <model>_weights.h/.c, the kernels it needs and a Makefile."""

from __future__ import annotations

import re
import textwrap

import numpy as np

from microstage_cbackend.chain import Model
from microstage_cbackend.ir import Layer, Part, Tensor, type_range
from microstage_cbackend.kernels import KernelSet

__all__ = ["emit", "identifier", "quoted"]

_RESERVED = set("a arena part sequence auto break case char const continue default do double else enum extern float for goto if inline int long "
                "register restrict return short signed sizeof static struct switch typedef union void volatile while".split())


def identifier(text: str) -> str:
    """`text` as a C identifier."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "value"
    return f"v_{name}" if name in _RESERVED or name[0].isdigit() else name


def quoted(text: str) -> str:
    """`text` as it may stand in a comment: a name of the graph cannot end it."""
    return re.sub(r"[^\w./:-]", "_", text, flags=re.ASCII)


class _PartWriter:
    """C names and text of one part."""

    def __init__(self, model: str, part: Part, kernels: KernelSet) -> None:
        self.model, self.part, self.kernels = model, part, kernels
        self.weights: dict[str, Tensor] = {}
        self._names: dict[int, str] = {}
        self._used: set[str] = set()
        for tensor in part.inputs:
            self._names[id(tensor)] = self._fresh(tensor.name)
        for tensor, name in zip(part.outputs, part.output_names):
            self._names[id(tensor.root)] = self._fresh(name)
        self.buffers = [t for t in dict.fromkeys(layer.output.root for layer in part.layers) if id(t) not in self._names]
        for tensor in self.buffers:
            self._names[id(tensor)] = self._fresh(tensor.name)
        for tensor in (t.root for layer in part.layers for t in layer.inputs if t.root.data is not None):
            if id(tensor) not in self._names:
                name = self._names[id(tensor)] = self._fresh(f"{model}_{part.name}_{tensor.name}")
                self.weights[name] = tensor

    def _fresh(self, text: str) -> str:
        name, count = identifier(text), 1
        while name in self._used:
            count += 1
            name = f"{identifier(text)}_{count}"
        self._used.add(name)
        return name

    def name(self, tensor: Tensor) -> str:
        return self._names[id(tensor.root)]

    def reference(self, tensor: Tensor) -> str:
        name = self.name(tensor)
        return f"a->{name}" if tensor.root in self.buffers else name

    def signature(self) -> str:
        arguments = [f"const {t.ctype} {self.name(t)}[{t.size}]" for t in self.part.inputs]
        arguments += [f"{t.ctype} {self.name(t)}[{t.size}]" for t in self.part.outputs]
        arena = [f"{self.model}_arena *arena"]
        start = f"{self.model}_status {self.model}_{self.part.name}("
        return textwrap.fill(start + ", ".join([*arena, *arguments]) + ")", 116, subsequent_indent=" " * len(start))

    def arena(self) -> list[str]:
        fields = [f"    {t.ctype} {self.name(t)}[{t.size}];" for t in self.buffers]
        return [f"struct {self.model}_{self.part.name}_buffers {{", *(fields or ["    char none;"]), "};", ""]

    def body(self) -> list[str]:
        pointers = ["arena", *(self.name(t) for t in (*self.part.inputs, *self.part.outputs))]
        lines = [f"    if ({' || '.join(f'!{p}' for p in pointers)}) {{", f"        return {self.model.upper()}_NULL;", "    }"]
        for t in self.part.inputs:
            if (t.low, t.high) != type_range(t.ctype):
                call = f"{self.kernels.within(t.ctype)}({self.name(t)}, {t.size}, {t.low}, {t.high})"
                lines += [f"    if (!{call}) {{", f"        return {self.model.upper()}_OUT_OF_RANGE;", "    }"]
        if self.buffers:
            lines += [f"    struct {self.model}_{self.part.name}_buffers *const a = &arena->part.{self.part.name};"]
        for number, layer in enumerate(self.part.layers, 1):
            lines += ["", *self._layer(number, layer)]
        return [*lines, "", f"    return {self.model.upper()}_OK;"]

    def _layer(self, number: int, layer: Layer) -> list[str]:
        operands = " x ".join(f"{t.ctype} {list(t.shape)}" for t in layer.inputs)
        result = f"{layer.output.ctype} {list(layer.output.shape)} in {layer.output.low}..{layer.output.high}"
        remark = f"; {layer.remark}" if layer.remark else ""
        struct = {"ms_add": "ms_pair", "ms_mul": "ms_pair"}.get(layer.kernel, layer.kernel) + "_shape"
        members = [f".{key} = {_value(value)}" for key, value in layer.shape.items()]
        arguments = [self.reference(t) for t in (*layer.inputs, layer.output)]
        comment = f"{number}. {quoted(layer.node)} ({layer.operator}): {operands} -> {result}{remark}."
        return [
            *textwrap.wrap(comment + " */", 116, initial_indent="    /* ", subsequent_indent="     * "),
            *_wrapped(f"    {self.kernels.of(layer)}(", arguments, f"        &(const {struct}){{", members, "});"),
        ]


def _wrapped(call: str, arguments: list[str], literal: str, members: list[str], end: str) -> list[str]:
    """A kernel call whose second line starts the shape, broken before 116 columns."""
    text = textwrap.wrap(", ".join(members), 100, initial_indent=literal, subsequent_indent="            ")
    return [call + ", ".join(arguments) + ",", *text[:-1], text[-1] + end]


def _value(value: int | list[int]) -> str:
    return "{" + ", ".join(map(str, value)) + "}" if isinstance(value, list) else str(value)


def emit(model: Model) -> dict[str, str]:
    """File name -> text of everything but the self test."""
    kernels = KernelSet()
    writers = [_PartWriter(model.name, part, kernels) for part in model.parts]
    weights = {name: tensor for writer in writers for name, tensor in writer.weights.items()}
    files = {
        f"{model.name}.h": _header(model, writers),
        f"{model.name}.c": _source(model, writers),
        f"{model.name}_weights.h": _weights_header(model.name, weights),
        f"{model.name}_weights.c": _weights_source(model.name, weights),
    }
    return files | kernels.files()


def _header(model: Model, writers: list[_PartWriter]) -> str:
    name, upper = model.name, model.name.upper()
    lines = [
        f"/* {name}: a quantised network in integers. C99, no allocation, no recursion, no written globals.",
        " *",
        " * The caller gives the arena (working memory, no state survives in it); one arena per thread makes all calls",
        " * reentrant. Inputs and outputs are dense arrays and must not overlap. value = scale * integer; integers are:",
        *_contract(model),
        " */",
        f"#ifndef {upper}_H",
        f"#define {upper}_H",
        "",
        "#include <stdint.h>",
        "",
        f"typedef enum {{ {upper}_OK = 0, {upper}_NULL = 1, {upper}_OUT_OF_RANGE = 2 }} {name}_status;",
        "",
    ]
    lines += [line for writer in writers for line in writer.arena()]
    lines += [f"typedef struct {name}_arena {{", "    union {"]
    lines += [f"        struct {name}_{writer.part.name}_buffers {writer.part.name};" for writer in writers]
    lines += ["    } part; /* parts run one after another, so they share the memory */", *_chain_buffers(model)]
    lines += [f"}} {name}_arena;", ""]
    lines += [f"{writer.signature()};" for writer in writers]
    if model.chain:
        chain = model.chain
        lines += ["", f"/* The whole network: {chain.encoder.name}, {chain.steps} steps of {chain.cell.name} from zero states, {chain.head.name}. */"]
        lines += [f"{_infer_signature(model)};"]
    return "\n".join([*lines, "", "#endif", ""])


def _contract(model: Model) -> list[str]:
    lines = []
    for part in model.parts:
        facts = model.interface.get("parts", {}).get(part.name, {})
        known = {**facts.get("inputs", {}), **facts.get("outputs", {})}
        names = [*((t.name, t) for t in part.inputs), *zip(part.output_names, part.outputs)]
        for name, tensor in names:
            scale, unit = known.get(name, {}).get("scale"), known.get(name, {}).get("unit")
            text = f" *   {part.name}.{quoted(name)} {list(tensor.shape)}: {tensor.low}..{tensor.high}"
            text += f", scale {scale}" if scale is not None else ""
            lines.append(text + (f", unit {unit}" if unit else ""))
    return lines


def _source(model: Model, writers: list[_PartWriter]) -> str:
    lines = [f"/* {model.name}: calls one kernel per layer; see {model.name}.h. */"]
    lines += [f'#include "{model.name}.h"', "", "#include <stddef.h>", "", f'#include "{model.name}_weights.h"', '#include "ms_kernels.h"']
    for writer in writers:
        lines += ["", writer.signature(), "{", *writer.body(), "}"]
    if model.chain:
        lines += ["", _infer_signature(model), "{", *_infer_body(model), "}"]
    return "\n".join([*lines, ""])


def _infer_signature(model: Model) -> str:
    first, last = model.chain.encoder.inputs[0], model.chain.head.outputs[0]
    arguments = f"const {first.ctype} input[{first.size}], {last.ctype} output[{last.size}]"
    return f"{model.name}_status {model.name}_infer({model.name}_arena *arena, {arguments})"


def _chain_buffers(model: Model) -> list[str]:
    if not model.chain:
        return []
    sequence, states = model.chain.encoder.outputs[0], dict(model.chain.cell.states)
    lines = [f"    {sequence.ctype} sequence[{sequence.size}]; /* {model.chain.steps} steps */"]
    held = [t for t in model.chain.cell.inputs if t.name in states]
    return lines + [f"    {t.ctype} {identifier(t.name)}[2][{t.size}]; /* one read, one written */" for t in held]


def _infer_body(model: Model) -> list[str]:
    chain, name, ok = model.chain, model.name, f"{model.name.upper()}_OK"
    states = dict(chain.cell.states)
    held = [t for t in chain.cell.inputs if t.name in states]
    step = f"arena->sequence + t * {chain.step_input.size}"
    given = [f"arena->{identifier(t.name)}[t % 2]" if t in held else step for t in chain.cell.inputs]
    given += [f"arena->{identifier(n.removesuffix('_next'))}[(t + 1) % 2]" for n in chain.cell.output_names]
    lines = ["    if (!arena) {", f"        return {name.upper()}_NULL;", "    }"]
    for t in held:
        lines += [f"    for (int32_t i = 0; i < {t.size}; i++) {{", f"        arena->{identifier(t.name)}[0][i] = 0;", "    }"]
    lines += ["", f"    {name}_status status = {name}_{chain.encoder.name}(arena, input, arena->sequence);"]
    lines += [f"    for (int32_t t = 0; t < {chain.steps} && status == {ok}; t++) {{"]
    lines += [f"        status = {name}_{chain.cell.name}(arena, {', '.join(given)});", "    }"]
    lines += [f"    if (status != {ok}) {{", "        return status;", "    }"]
    last = f"arena->{identifier(chain.head.inputs[0].name)}[{chain.steps} % 2]"
    return [*lines, f"    return {name}_{chain.head.name}(arena, {last}, output);"]


def _weights_header(model: str, weights: dict[str, Tensor]) -> str:
    guard = f"{model.upper()}_WEIGHTS_H"
    lines = ["/* Constants, in the smallest standard type that holds each array. */", f"#ifndef {guard}", f"#define {guard}", ""]
    lines += ["#include <stdint.h>", ""]
    lines += [f"extern const {t.ctype} {name}[{t.size}]; /* {list(t.shape)}, {t.low}..{t.high} */" for name, t in weights.items()]
    return "\n".join([*lines, "", "#endif", ""])


def _weights_source(model: str, weights: dict[str, Tensor]) -> str:
    lines = [f'#include "{model}_weights.h"']
    for name, tensor in weights.items():
        lines += ["", f"const {tensor.ctype} {name}[{tensor.size}] = {{ /* {quoted(tensor.name)} {list(tensor.shape)} */"]
        lines += [*rows(np.asarray(tensor.data).ravel()), "};"]
    return "\n".join([*lines, ""])


def rows(values: np.ndarray, per_line: int = 20) -> list[str]:
    """Initialiser lines of `per_line` integers each."""
    texts = [str(int(v)) if v > -(2**63) else "INT64_MIN" for v in values]
    return ["    " + ", ".join(texts[i : i + per_line]) + "," for i in range(0, len(texts), per_line)]
