"""Write <model>_int16.h and .c: a waveform of int16 samples, one at a time, for cores without floats.

Gain and answer are computed in integers.
"""

from __future__ import annotations

import math

from microstage_cbackend.kernels.layouts import fast_files
from microstage_cbackend.writers.names import CPLUSPLUS
from microstage_cbackend.writers.sample_stream import SampleStream

__all__ = ["UNIT", "Int16Api", "int16_api"]

UNIT = 8
"Places behind the point of an answer."
_FINE = 36  # places of a mean before it is rounded: a unit of an answer at the largest gain is 2^13 of its last
_PRODUCT, _SUM, _SAMPLE = 61, 24, 15  # bits: of a product; of sums; of samples


def int16_api(waveform: SampleStream) -> Int16Api | None:
    """Return the functions on int16 samples, None where shifts do not hold the scales."""
    factors = _factors(waveform)
    possible = (
        math.frexp(waveform.sum_scale)[0] == 0.5
        and waveform.recurrent.computed[waveform.mean.sum].high < 1 << _SUM
        and 0 <= _point(waveform) <= _FINE
        and min(places for _, places in factors) >= 1
        and _takes_all(waveform)
    )
    return Int16Api(waveform, factors) if possible else None


def _takes_all(waveform: SampleStream) -> bool:
    """Tell whether no sample is beyond the gain, or has more bits than shifts of 32 bits hold."""
    low, high = waveform.gain.exponents
    return low <= 0 and high >= _SAMPLE >= waveform.places


def _point(waveform: SampleStream) -> int:
    """Return the places behind the point of a sum."""
    return -round(math.log2(waveform.sum_scale))


def _factors(waveform: SampleStream) -> list[tuple[int, int]]:
    """Return (factor, places) of each correction: times the factor and shifted it has 36 places behind the point."""
    t, scales = waveform.recurrent.computed[waveform.mean.correction], waveform.correction_scale
    scales = scales if isinstance(scales, list) else [scales]
    reach = max(abs(t.low), abs(t.high), 1)
    places = [min(_PRODUCT - math.ceil(math.log2(reach * abs(scale))) - _FINE - 1, _PRODUCT) for scale in scales]
    return [(round(scale * 2.0 ** (_FINE + p)), p) for scale, p in zip(scales, places)]


class Int16Api:
    """Write the functions on int16 samples of `waveform`, with (factor, places) of each correction."""

    kind = "_int16"

    def __init__(self, waveform: SampleStream, factors: list[tuple[int, int]]) -> None:
        self.waveform, self._factors = waveform, factors
        self.name, self.upper = waveform.name, waveform.upper

    def prototypes(self) -> dict[str, list[str]]:
        """Return {header: its functions}, for the README."""
        return {f"{self.name}_int16.h": [self.waveform.reset_signature(self.kind), self._push_signature()]}

    def files(self) -> dict[str, str]:
        """Return file name -> text."""
        own = {f"{self.name}_int16.h": self._header(), f"{self.name}_int16.c": self._source()}
        return own | fast_files("ms_whole_gain.h")

    def _push_signature(self) -> str:
        return self.waveform.push_signature("int16_t", "int32_t", self.kind)

    def _header(self) -> str:
        guard, size = f"{self.upper}_INT16_H", self.waveform.samples
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
            f"/* A waveform as it comes, {self.waveform.stream_bytes(2)} bytes; all zero bytes is its start. */",
            f"typedef struct {{ {self.name}_state state; int16_t samples[{size}], filled; }} {self.name}_stream_int16;",
            f"{self.waveform.reset_signature(self.kind)};",
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
        w = self.waveform
        lines = [f'#include "{self.name}_int16.h"', "", "#include <stddef.h>", "", '#include "ms_whole_gain.h"']
        push = w.push(self._push_signature(), [])
        return "\n".join([*lines, *w.reset(self.kind), *self._answer(), *push, ""])

    def _answer(self) -> list[str]:
        """Return the lines that make a window's integers, the step, and the quotient at the window's gain."""
        w = self.waveform
        lowest = w.gain.exponents[0]
        exponent = [f"    const int32_t exponent = ms_whole_exponent_of(samples, {w.samples}, {lowest});"]
        level = f"ms_whole_level(samples[i], {w.places} - exponent, {w.window.high})"
        return ["", *w.step("int16_t", "int32_t", exponent, level, self._mean())]

    def _mean(self) -> list[str]:
        """Return the lines that make the answer."""
        w = self.waveform
        total, count, correction = (w.outputs[n] for n in w.mean.outputs)
        factors, places = zip(*self._factors)
        factor, place = f"{factors[0]}", f"{places[0]}"
        lines = []
        if len(factors) > 1:
            factor, place = "factors[i]", "places[i]"
            lines += [f"    static const int64_t factors[{len(factors)}] = {{{', '.join(map(str, factors))}}};"]
            lines += [f"    static const uint8_t places[{len(places)}] = {{{', '.join(map(str, places))}}};"]
        both = f"{total}[i], {total}[i + {w.values}]"
        return [
            *lines,
            f"    for (int32_t i = 0; i < {w.values}; i++) {{",
            f"        const int64_t average = ms_whole_mean({both}, {count}[i], {_FINE - _point(w)});",
            f"        const int64_t more = ({correction}[i] * (int64_t){factor}) >> {place};",
            f"        answer[i] = ms_whole_answer(average + more, {_FINE - UNIT} - exponent);",
            "    }",
        ]
