"""<model>_int16.h and .c: a waveform of int16 samples, one at a time, gain and answer in integers, for cores without
floats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from microstage_cbackend.kernels.layouts import fast_files
from microstage_cbackend.writers.names import CPLUSPLUS
from microstage_cbackend.writers.signatures import signature

if TYPE_CHECKING:
    from microstage_cbackend.writers.stream_api import StreamApi

__all__ = ["UNIT", "Int16Api"]

UNIT = 8
"Places behind the point of an answer."
_FINE = 36  # places of a mean before it is rounded: a unit of an answer at the largest gain is 2^13 of its last
_PRODUCT, _SUM, _SAMPLE = 61, 24, 15  # bits: of a product; of sums; of samples


class Int16Api:
    """Text of the functions on int16 samples; `possible` where there are those on real ones, and shifts hold the
    scales."""

    def __init__(self, real: StreamApi) -> None:
        self.real, self.name, self.upper = real, real.name, real.upper
        self.possible = real.possible and self._fits()

    def _fits(self) -> bool:
        real, total = self.real, self.real.scales[self.real.mean.sum]
        whole = (
            not isinstance(total, list)
            and math.frexp(total)[0] == 0.5
            and real.recurrent.made[real.mean.sum].high < 1 << _SUM
        )
        return (
            whole and 0 <= self._point <= _FINE and min(places for _, places in self._factors) >= 1 and self._takes_all
        )

    @property
    def _takes_all(self) -> bool:
        """Whether no sample is beyond the gain, or has more bits than shifts of 32 bits hold."""
        low, high = self.real.gain.exponents
        return low <= 0 and high >= _SAMPLE >= self.real.places

    @property
    def _point(self) -> int:
        """Places behind the point of a sum."""
        return -round(math.log2(self.real.scales[self.real.mean.sum]))

    @property
    def _factors(self) -> list[tuple[int, int]]:
        """(factor, places) of each correction: times the factor and shifted it has 36 places behind the point."""
        real = self.real
        t, scales = real.recurrent.made[real.mean.correction], real.scales[real.mean.correction]
        scales = scales if isinstance(scales, list) else [scales]
        reach = max(abs(t.low), abs(t.high), 1)
        places = [min(_PRODUCT - math.ceil(math.log2(reach * abs(scale))) - _FINE - 1, _PRODUCT) for scale in scales]
        return [(round(scale * 2.0 ** (_FINE + p)), p) for scale, p in zip(scales, places)]

    @property
    def stream_bytes(self) -> int:
        return self.real.api.stepping.stream_bytes((2, 2 * self.real.samples), (2, 2))

    def prototypes(self) -> dict[str, list[str]]:
        """{header: its functions}, for the README."""
        return {f"{self.name}_int16.h": [self._reset_signature(), self._push_signature()]} if self.possible else {}

    def files(self) -> dict[str, str]:
        if not self.possible:
            return {}
        return {f"{self.name}_int16.h": self._header(), f"{self.name}_int16.c": self._source()} | fast_files(
            "ms_whole_gain.h"
        )

    def _reset_signature(self) -> str:
        return f"void {self.name}_reset_int16({self.name}_stream_int16 *stream)"

    def _push_signature(self) -> str:
        arguments = [
            f"const {self.name}_ctx *ctx",
            f"{self.name}_stream_int16 *stream",
            "int16_t sample",
            f"int32_t answer[{self.real.values}]",
        ]
        return signature(f"{self.name}_status", f"{self.name}_push_int16", arguments)

    def _header(self) -> str:
        guard, size = f"{self.upper}_INT16_H", self.real.samples
        lines = [
            f"/* {self.name} on int16 samples: gain and answer in integers, what is carried is what {self.name}_push "
            "has to the bit.",
            " *",
            f" * An answer is in 1/{1 << UNIT} of a sample's unit, to the nearest integer, halves up, of what "
            f"{self.name}_push answers less at most",
            " * 1/128 of that; it is at most 2^31 - 1.",
            " */",
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            f'#include "{self.name}.h"',
            "",
            *CPLUSPLUS[0],
            "",
            f"/* A waveform as it comes, {self.stream_bytes} bytes; all zero bytes is its start. */",
            f"typedef struct {{ {self.name}_state state; int16_t samples[{size}], filled; }} {self.name}_stream_int16;",
            f"{self._reset_signature()};",
            "",
            f"#ifndef {self.upper}_WAITING",
            f"#define {self.upper}_WAITING (({self.name}_status)3)",
            "#endif",
            f"/* Takes one sample. {self.upper}_OK: it was the last of a window, and answer holds that to all since "
            "the start;",
            f" * {self.upper}_WAITING: there are fewer than {size}. */",
            f"{self._push_signature()};",
        ]
        return "\n".join([*lines, "", *CPLUSPLUS[1], "", "#endif", ""])

    def _source(self) -> str:
        lines = [f'#include "{self.name}_int16.h"', "", "#include <stddef.h>", "", '#include "ms_whole_gain.h"']
        lines += ["", self._reset_signature(), "{", f"    *stream = ({self.name}_stream_int16){{0}};", "}"]
        return "\n".join([*lines, *self._answer(), *self._push(), ""])

    def _answer(self) -> list[str]:
        """A window's integers, the step, and the quotient at the window's gain."""
        real, name, w = self.real, self.name, self.real.window
        fixed = [f"const {name}_ctx *ctx", f"{name}_state *state", "const int16_t *samples", "int32_t *answer"]
        lines = ["", signature(f"static {name}_status", f"{name}_stream_answer", fixed), "{"]
        lines += [
            f"    const int32_t exponent = ms_whole_exponent_of(samples, {w.size}, {real.gain.exponents[0]});",
            f"    {w.ctype} window[{w.size}];",
        ]
        lines += [f"    {t.ctype} {real.outputs[n]}[{t.size}];" for n, t in real.recurrent.outputs] + [""]
        lines += [f"    for (int32_t i = 0; i < {w.size}; i++) {{"]
        lines += [
            f"        window[i] = ({w.ctype})ms_whole_level(samples[i], {real.places} - exponent, {w.high});",
            "    }",
        ]
        lines += [
            f"    const {name}_status status = {name}_infer_step(ctx, state, window, exponent, "
            f"{', '.join(real.outputs.values())});"
        ]
        lines += [f"    if (status != {self.upper}_OK) {{", "        return status;", "    }"]
        return [*lines, *self._mean(), f"    return {self.upper}_OK;", "}"]

    def _mean(self) -> list[str]:
        total, count, correction = (self.real.outputs[n] for n in self.real.mean.outputs)
        factors, places = zip(*self._factors)
        factor, place = f"{factors[0]}", f"{places[0]}"
        lines = []
        if len(factors) > 1:
            factor, place = "factors[i]", "places[i]"
            lines += [f"    static const int64_t factors[{len(factors)}] = {{{', '.join(map(str, factors))}}};"]
            lines += [f"    static const uint8_t places[{len(places)}] = {{{', '.join(map(str, places))}}};"]
        lines += [f"    for (int32_t i = 0; i < {self.real.values}; i++) {{"]
        both = f"{total}[i], {total}[i + {self.real.values}]"
        lines += [f"        const int64_t average = ms_whole_mean({both}, {count}[i], {_FINE - self._point});"]
        lines += [f"        const int64_t more = ({correction}[i] * (int64_t){factor}) >> {place};"]
        return [*lines, f"        answer[i] = ms_whole_answer(average + more, {_FINE - UNIT} - exponent);", "    }"]

    def _push(self) -> list[str]:
        lines = [
            "",
            self._push_signature(),
            "{",
            "    if (!ctx || !stream || !answer) {",
            f"        return {self.upper}_NULL;",
            "    }",
        ]
        lines += [
            "    stream->samples[stream->filled++] = sample;",
            f"    if (stream->filled < {self.real.samples}) {{",
        ]
        lines += [f"        return {self.upper}_WAITING;", "    }", "    stream->filled = 0;"]
        return [*lines, f"    return {self.name}_stream_answer(ctx, &stream->state, stream->samples, answer);", "}"]
