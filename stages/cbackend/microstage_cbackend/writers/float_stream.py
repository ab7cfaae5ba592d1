"""Write <model>_float.h and .c of a network whose steps are windows of a waveform: real samples in, real answers out.

An answer is that to several windows at once, or comes as samples do, one at a time.
"""

from __future__ import annotations

from microstage_cbackend.kernels.layouts import fast_files
from microstage_cbackend.writers.names import CPLUSPLUS, Names
from microstage_cbackend.writers.quantising import each, shown
from microstage_cbackend.writers.sample_stream import SampleStream
from microstage_cbackend.writers.signatures import signature

__all__ = ["FloatStream"]


class FloatStream:
    """Write the functions on real samples of `waveform`."""

    kind = "_float"

    def __init__(self, waveform: SampleStream) -> None:
        self.waveform, self.name, self.upper = waveform, waveform.name, waveform.upper
        names = Names(self.name)
        self.taken, self.given = names.fresh(waveform.samples_name), names.fresh(waveform.answer_name)

    def prototypes(self) -> dict[str, list[str]]:
        """Return {header: its functions}, for the README."""
        own = [self._infer_signature(), self.waveform.reset_signature(), self._push_signature()]
        return {f"{self.name}_float.h": own}

    def files(self) -> dict[str, str]:
        """Return file name -> text."""
        own = {f"{self.name}_float.h": self._header(), f"{self.name}_float.c": self._source()}
        return own | fast_files("ms_gain.h")

    @property
    def _record(self) -> int:
        """Count the samples of one answer."""
        return self.waveform.recurrent.steps * self.waveform.samples

    def _infer_signature(self) -> str:
        real = [f"const float {self.taken}[{self._record}]", f"float {self.given}[{self.waveform.values}]"]
        return signature(f"{self.name}_status", f"{self.name}_infer_float", [f"const {self.name}_ctx *ctx", *real])

    def _push_signature(self) -> str:
        return self.waveform.push_signature("float", "float")

    def _header(self) -> str:
        w, guard, (low, high) = self.waveform, f"{self.upper}_FLOAT_H", self.waveform.gain.exponents
        scale, correction = shown(w.sum_scale, (w.values,)), shown(w.correction_scale, (w.values,))
        lines = [
            f"/* {self.name} on real samples, in any unit, in which the answers are too.",
            " *",
            f" * Each window of {w.samples} samples is brought to full scale by the smallest power of two that no "
            f"sample exceeds, from 2^{low} to",
            f" * 2^{high}. The answer to it, in float64, is max(0, gain * (size / count + correction)): the size of "
            f"phasor {w.mean.sum}, times",
            f" * {scale}, over {w.mean.count}, and {w.mean.correction} times {correction}.",
            " */",
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            f'#include "{self.name}.h"',
            "",
            *CPLUSPLUS[0],
            "",
            f"/* {w.recurrent.steps} windows from the start of a record; {self.upper}_OUT_OF_RANGE where a sample is "
            f"beyond 2^{high} or no number. */",
            f"{self._infer_signature()};",
            "",
            *self._stream_header(),
        ]
        return "\n".join([*lines, "", *CPLUSPLUS[1], "", "#endif", ""])

    def _stream_header(self) -> list[str]:
        w, high = self.waveform, self.waveform.gain.exponents[1]
        fields = f"{self.name}_state state; float samples[{w.samples}]; int32_t filled;"
        return [
            f"/* A waveform as it comes, {w.stream_bytes(4)} bytes; all zero bytes is its start. */",
            f"typedef struct {{ {fields} }} {self.name}_stream;",
            f"{w.reset_signature()};",
            "",
            f"#define {self.upper}_WAITING (({self.name}_status)3)",
            f"/* Takes one sample. {self.upper}_OK: it was the last of a window, and answer holds that to all since "
            "the start;",
            f" * {self.upper}_WAITING: there are fewer than {w.samples}. A sample beyond 2^{high}, infinite or no "
            "number, is refused,",
            f" * {self.upper}_OUT_OF_RANGE: it is not taken, and neither the window nor what is carried changes. Give "
            "another in its",
            " * place, say the last once more: without, all that follows comes a sample early. */",
            f"{self._push_signature()};",
        ]

    def _source(self) -> str:
        includes = [f'#include "{self.name}_float.h"', "", "#include <stddef.h>", "", '#include "ms_gain.h"']
        return "\n".join([*includes, *self._step(), *self._infer(), *self.waveform.reset(), *self._push(), ""])

    def _step(self) -> list[str]:
        w, (low, _) = self.waveform, self.waveform.gain.exponents
        exponent = [
            f"    const int32_t exponent = ms_exponent_of(samples, {w.samples}, {low});",
            f"    const float factor = ms_power_of_two({w.places} - exponent);",
        ]
        level = f"ms_level(samples[i] * factor, {w.window.high})"
        about = f"/* The answer behind a window of {w.samples} numbers, none of them beyond the largest gain. */"
        return ["", about, *w.step("float", "float", exponent, level, self._mean())]

    def _mean(self) -> list[str]:
        """Return the lines that make the answer. Each statement rounds once: none is contracted with another."""
        w = self.waveform
        total, correction, count = (w.outputs[n] for n in (w.mean.sum, w.mean.correction, w.mean.count))
        factor, tables = each("factors", w.recurrent.computed[w.mean.correction], w.correction_scale)
        return [
            *tables,
            f"    for (int32_t i = 0; i < {w.values}; i++) {{",
            f"        const double size = ms_size({total}[i], {total}[i + {w.values}]);",
            f"        const double average = {w.sum_scale!r} * size / {count}[i];",
            f"        const double more = {factor} * {correction}[i];",
            "        const double value = (average + more) * (double)ms_power_of_two(exponent);",
            "        answer[i] = value > 0 ? (float)value : 0;",
            "    }",
        ]

    def _infer(self) -> list[str]:
        name, w, (_, high) = self.name, self.waveform, self.waveform.gain.exponents
        call = f"{name}_stream_answer(ctx, &state, {self.taken} + step * {w.samples}, {self.given})"
        return [
            "",
            self._infer_signature(),
            "{",
            f"    if (!ctx || !{self.taken} || !{self.given}) {{",
            f"        return {self.upper}_NULL;",
            "    }",
            f"    for (int32_t i = 0; i < {self._record}; i++) {{",
            f"        if (!ms_is_sample({self.taken}[i], {high})) {{",
            f"            return {self.upper}_OUT_OF_RANGE;",
            "        }",
            "    }",
            f"    {name}_state state;",
            f"    {name}_status status = {self.upper}_OK;",
            "",
            f"    {name}_state_reset(&state);",
            f"    for (int32_t step = 0; step < {w.recurrent.steps} && status == {self.upper}_OK; step++) {{",
            f"        status = {call};",
            "    }",
            "    return status;",
            "}",
        ]

    def _push(self) -> list[str]:
        high = self.waveform.gain.exponents[1]
        refused = [f"    if (!ms_is_sample(sample, {high})) {{", f"        return {self.upper}_OUT_OF_RANGE;", "    }"]
        return self.waveform.push(self._push_signature(), refused)
