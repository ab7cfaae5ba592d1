"""<model>_float.h and .c: real numbers in and out by the documented scales, and, for waveforms, one sample at a time.

They lie apart from the library, which computes in integers alone. Rounding is half to even, written out, so that neither
the C library nor a rounding mode has a say in it.
"""

from __future__ import annotations

from typing import Any

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.writers.api import Api, signature
from microstage_cbackend.writers.names import CPLUSPLUS, identifier

__all__ = ["FloatApi"]

_NEAREST = """
/* value, already scaled, to the nearest integer, halves to even, held to low..high. */
static int32_t nearest(double value, int32_t low, int32_t high)
{
    if (value <= low) {
        return low;
    }
    if (value >= high) {
        return high;
    }
    const int32_t whole = (int32_t)value;
    const double rest = value - whole;
    if (rest > 0.5 || (rest == 0.5 && whole % 2)) {
        return whole + 1;
    }
    if (rest < -0.5 || (rest == -0.5 && whole % 2)) {
        return whole - 1;
    }
    return whole;
}
"""

_GAIN = """
/* The smallest power of two, from 2^-16 to 2^15, that no sample exceeds; 0 where one is not a number. */
static double gain_of(const float *window, int32_t count)
{
    double peak = 0;
    for (int32_t i = 0; i < count; i++) {
        const double size = window[i] < 0 ? -(double)window[i] : (double)window[i];
        if (!(size - size == 0)) {
            return 0;
        }
        peak = size > peak ? size : peak;
    }
    double gain = 1.0 / 65536;
    while (gain < 32768 && gain < peak) {
        gain *= 2;
    }
    return gain;
}
"""


class FloatApi:
    """Text of the float wrapper; `possible` where every input and output of `<model>_infer` has a scale."""

    def __init__(self, api: Api) -> None:
        self.api, self.model = api, api.model
        self.name, self.upper = api.model.name, api.model.name.upper()
        self.inputs, self.outputs = api.ends or ([], [])
        first = self.model.chain.encoder if self.model.chain else self.model.parts[0]
        last = self.model.chain.head if self.model.chain else self.model.parts[0]
        self._facts = [self.model.facts(first).get(t.name, {}) for t in self.inputs]
        self._facts += [self.model.facts(last).get(n, {}) for n, _ in self.outputs]

    @property
    def possible(self) -> bool:
        return bool(self.inputs) and all(f.get("scale") is not None for f in self._facts)

    @property
    def block_float(self) -> bool:
        """Whether the input is a waveform window at a gain of its own, a power of two, at which the answer comes too."""
        return len(self.inputs) == 1 and str(self._facts[0].get("unit", "")).startswith("2^")

    @property
    def hop(self) -> int:
        """Samples per recurrent step: the product of the encoder's strides."""
        hop = 1
        for layer in self.model.chain.encoder.layers:
            hop *= layer.shape.get("stride_w", 1)
        return hop

    @property
    def streams(self) -> bool:
        return self.block_float and self.model.chain is not None and len(self.outputs) == 1

    def files(self) -> dict[str, str]:
        return {f"{self.name}_float.h": self._header(), f"{self.name}_float.c": self._source()} if self.possible else {}

    def _input_name(self, t: Tensor) -> str:
        return identifier(t.name)

    def _infer_signature(self) -> str:
        arguments = [f"const {self.name}_ctx *ctx", *(f"const float {self._input_name(t)}[{t.size}]" for t in self.inputs)]
        return signature(f"{self.name}_status", f"{self.name}_infer_float", [*arguments, *(f"float {n}[{t.size}]" for n, t in self._named_outputs())])

    def _named_outputs(self) -> list[tuple[str, Tensor]]:
        taken = {identifier(t.name) for t in self.inputs}
        return [(identifier(n) + ("_out" if identifier(n) in taken else ""), t) for n, t in self.outputs]

    def _push_signature(self) -> str:
        arguments = [f"const {self.name}_ctx *ctx", f"{self.name}_stream *stream", "float sample", f"float answer[{self.outputs[0][1].size}]"]
        return signature(f"{self.name}_status", f"{self.name}_push", arguments)

    def _header(self) -> str:
        guard = f"{self.upper}_FLOAT_H"
        lines = [f"/* {self.name} on real numbers: value = scale * (integer - zero point)."]
        if self.block_float:
            lines += [" *", " * The input is a window of samples in any unit. It is brought to full scale by the smallest power of two that no"]
            lines += [" * sample exceeds (2^-16 to 2^15), and the answer is multiplied by it: answers are in the unit of the samples."]
        names = [*(self._input_name(t) for t in self.inputs), *(n for n, _ in self._named_outputs())]
        lines += [" *", *(f" *   {n}: scale {f['scale']}, zero point {f.get('zero_point', 0)}" for n, f in zip(names, self._facts)), " */"]
        lines += [f"#ifndef {guard}", f"#define {guard}", "", f'#include "{self.name}.h"', "", *CPLUSPLUS[0], "", f"{self._infer_signature()};"]
        if self.streams:
            size = self.inputs[0].size
            lines += ["", f"/* The last {size} samples of a waveform; all zero bytes is an empty one. */"]
            lines += [f"typedef struct {{ float samples[{size}]; int32_t next, filled, since; }} {self.name}_stream;", ""]
            lines += [f"void {self.name}_stream_reset({self.name}_stream *stream);"]
            ready = f"{self.upper}_OK: answer holds that of the last {size} samples; {self.upper}_WAITING: not enough samples yet."
            lines += [f"/* Takes one sample. {ready}"]
            lines += [f" * An answer comes with the sample that fills the window and with every {self.hop}th after it. */"]
            lines += [f"#define {self.upper}_WAITING (({self.name}_status)3)", f"{self._push_signature()};"]
        return "\n".join([*lines, "", *CPLUSPLUS[1], "", "#endif", ""])

    def _source(self) -> str:
        lines = [f'#include "{self.name}_float.h"', "", "#include <stddef.h>"]
        text = "\n".join(lines) + "\n" + _NEAREST + (_GAIN if self.block_float else "")
        text += "\n" + "\n".join([self._infer_signature(), "{", *self._infer_body(), "}", ""])
        return text + ("\n" + "\n".join(self._stream()) if self.streams else "")

    def _infer_body(self) -> list[str]:
        outputs = self._named_outputs()
        pointers = ["ctx", *(self._input_name(t) for t in self.inputs), *(n for n, _ in outputs)]
        lines = [f"    if ({' || '.join(f'!{p}' for p in pointers)}) {{", f"        return {self.upper}_NULL;", "    }"]
        lines += [f"    {t.ctype} {self._input_name(t)}_integers[{t.size}];" for t in self.inputs]
        lines += [f"    {t.ctype} {n}_integers[{t.size}];" for n, t in outputs]
        if self.block_float:
            lines += [f"    const double gain = gain_of({self._input_name(self.inputs[0])}, {self.inputs[0].size});", "    if (gain == 0) {"]
            lines += [f"        return {self.upper}_OUT_OF_RANGE;", "    }"]
        for t, facts in zip(self.inputs, self._facts):
            lines += self._quantise(t, facts)
        call = ", ".join(["ctx", *(f"{self._input_name(t)}_integers" for t in self.inputs), *(f"{n}_integers" for n, _ in outputs)])
        lines += ["", f"    const {self.name}_status status = {self.name}_infer({call});"]
        lines += [f"    if (status != {self.upper}_OK) {{", "        return status;", "    }"]
        for (n, t), facts in zip(outputs, self._facts[len(self.inputs) :]):
            lines += self._dequantise(n, t, facts)
        return [*lines, f"    return {self.upper}_OK;"]

    def _quantise(self, t: Tensor, facts: dict[str, Any]) -> list[str]:
        name, zero = self._input_name(t), int(facts.get("zero_point") or 0)
        low, high = facts.get("range", (max(t.low, -127) if self.block_float else t.low, t.high))
        value = f"{name}[i] / gain / {facts['scale']!r}" if self.block_float else f"{name}[i] / {facts['scale']!r}"
        return [
            f"    for (int32_t i = 0; i < {t.size}; i++) {{",
            f"        {name}_integers[i] = ({t.ctype})(nearest({value}, {low - zero}, {high - zero}){f' + {zero}' if zero else ''});",
            "    }",
        ]

    def _dequantise(self, name: str, t: Tensor, facts: dict[str, Any]) -> list[str]:
        scale, zero = facts["scale"], int(facts.get("zero_point") or 0)
        lines = []
        if isinstance(scale, list):
            lines += [f"    static const double {name}_scale[{t.size}] = {{{', '.join(repr(s) for s in scale)}}};"]
        factor = f"{name}_scale[i]" if isinstance(scale, list) else repr(scale)
        integer = f"({name}_integers[i] - {zero})" if zero else f"{name}_integers[i]"
        gain = " * gain" if self.block_float else ""
        return [*lines, f"    for (int32_t i = 0; i < {t.size}; i++) {{", f"        {name}[i] = (float)({integer} * {factor}{gain});", "    }"]

    def _stream(self) -> list[str]:
        size, name = self.inputs[0].size, self.name
        return [
            f"void {name}_stream_reset({name}_stream *stream)",
            "{",
            f"    *stream = ({name}_stream){{0}};",
            "}",
            "",
            self._push_signature(),
            "{",
            "    if (!ctx || !stream || !answer) {",
            f"        return {self.upper}_NULL;",
            "    }",
            "    stream->samples[stream->next] = sample;",
            f"    stream->next = (stream->next + 1) % {size};",
            f"    if (stream->filled < {size}) {{",
            "        stream->filled++;",
            f"        stream->since = {self.hop - 1};",
            "    }",
            f"    if (stream->filled < {size} || ++stream->since < {self.hop}) {{",
            f"        return {self.upper}_WAITING;",
            "    }",
            "    stream->since = 0;",
            f"    float window[{size}];",
            f"    for (int32_t i = 0; i < {size}; i++) {{",
            f"        window[i] = stream->samples[(stream->next + i) % {size}];",
            "    }",
            f"    return {name}_infer_float(ctx, window, answer);",
            "}",
            "",
        ]
