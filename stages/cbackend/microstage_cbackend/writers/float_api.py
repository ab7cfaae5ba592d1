"""Write <model>_float.h and .c: real numbers in and out by the documented scales, and, for waveforms, sample by sample.

They lie apart from the library, which computes in integers alone. They are written where there are real vectors that
the self test compares them on.
"""

from __future__ import annotations

from functools import partial

from microstage.interface.gain import Gain
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.vectors.real import RealVectors
from microstage_cbackend.writers import float_readme
from microstage_cbackend.writers.api import Api
from microstage_cbackend.writers.names import CPLUSPLUS, in_comment
from microstage_cbackend.writers.quantising import each, quantise, rounding_functions, shown
from microstage_cbackend.writers.real_ends import RealEnds
from microstage_cbackend.writers.signatures import signature
from microstage_cbackend.writers.window_push import window_push

__all__ = ["FloatApi"]

_NUMBERS = """
/* Whether every value is a number: neither infinite nor none at all. */
static int are_numbers(const float *values, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (!(values[i] - values[i] == 0)) {
            return 0;
        }
    }
    return 1;
}
"""

_GAIN = """
/* The smallest power of two, from 2^LOW to 2^HIGH, that no sample exceeds; 0 where one exceeds them all. */
static double gain_of(const float *window, int32_t count)
{
    double peak = 0;
    for (int32_t i = 0; i < count; i++) {
        const double size = window[i] < 0 ? -(double)window[i] : (double)window[i];
        peak = size > peak ? size : peak;
    }
    double gain = SMALLEST;
    while (gain < LARGEST && gain < peak) {
        gain *= 2;
    }
    return peak > gain ? 0 : gain;
}
"""


class FloatApi:
    """Write the functions of real numbers, where `ends` are `possible`, and what the README says of real numbers."""

    def __init__(self, api: Api, real: RealVectors | None) -> None:
        self.ends = RealEnds(api, real)
        self.name, self.upper = self.ends.name, self.ends.upper
        self._push = window_push(self.ends)
        self._derived: dict[tuple[str, str], str] = {}

    def prototypes(self) -> dict[str, list[str]]:
        """Return {header: its functions}, for the README."""
        push = [self._push.signature()] if self._push else []
        return {f"{self.name}_float.h": [self._signature(), *push]} if self.ends.possible else {}

    def ranked(self) -> list[str]:
        """Say in the README which outputs have integers in another order than their values."""
        return float_readme.ranked(self.ends)

    def entering(self) -> list[str]:
        """Say in the README how integers are made of real values."""
        return float_readme.entering(self.ends)

    def reach(self) -> list[str]:
        """Say in the README how large and how small real values may be."""
        return float_readme.reach(self.ends)

    def files(self) -> dict[str, str]:
        """Return file name -> text."""
        if not self.ends.possible:
            return {}
        return {f"{self.name}_float.h": self._header(), f"{self.name}_float.c": self._source()}

    def _variable(self, name: str, what: str) -> str:
        """Return the variable that holds the integers, scales, offsets or thresholds of the argument `name`."""
        if (name, what) not in self._derived:
            self._derived[name, what] = self.ends.names.fresh(f"{name}_{what}")
        return self._derived[name, what]

    def _outputs(self) -> list[tuple[str, Tensor]]:
        """Return the outputs by their names in C."""
        return [(self.ends.given[n], t) for n, t in self.ends.outputs]

    def _signature(self) -> str:
        reals = [f"const float {self.ends.named_reals[n]}[{t.size}]" for n, (t, *_) in self.ends.reals.items()]
        answers = [f"float {n}[{t.size}]" for n, t in self._outputs()]
        arguments = [f"const {self.name}_ctx *ctx", *reals, *answers]
        return signature(f"{self.name}_status", f"{self.name}_infer_float", arguments)

    def _header(self) -> str:
        guard = f"{self.upper}_FLOAT_H"
        lines = [
            *self._about(),
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            f'#include "{self.name}.h"',
            "",
            *CPLUSPLUS[0],
            "",
            f"{self._signature()};",
            *(self._push.declarations() if self._push else []),
        ]
        return "\n".join([*lines, "", *CPLUSPLUS[1], "", "#endif", ""])

    def _about(self) -> list[str]:
        """Return the comment at the top of the header."""
        held = "A value" if self.ends.gain else "Values beyond the range are held at its end; one"
        lines = [f"/* {self.name} on real numbers: value = scale * (integer - zero point) + offset."]
        lines += [f" * {held} that is infinite or no number is refused: {self.upper}_OUT_OF_RANGE."]
        lines += self._about_gain(self.ends.gain) if self.ends.gain else []
        return [*lines, " *", *(self._about_end(name) for name in self.ends.facts), " */"]

    def _about_gain(self, gain: Gain) -> list[str]:
        low, high = gain.exponents
        return [
            " *",
            f" * {self.ends.taken[gain.window]} is a window of samples in any unit. It is brought to full scale "
            "by the smallest",
            f" * power of two that no sample exceeds (2^{low} to 2^{high}), and the answer is multiplied by it: "
            "answers are in the",
            f" * unit of the samples. A window beyond 2^{high} is refused ({self.upper}_OUT_OF_RANGE); one below "
            f"2^{low} is resolved as",
            f" * finely as one of 2^{low}, in steps of 2^{low - 7}.",
        ]

    def _about_end(self, name: str) -> str:
        """Return the line that says the scale of one input or output."""
        facts, shape, offset = self.ends.facts[name], self.ends.tensors[name].shape, self.ends.offset_of(name)
        called = self.ends.taken[name] if name in self.ends.taken else self.ends.given[name]
        source = f" of {in_comment(facts['of'])}" if "of" in facts else ""
        text = f" *   {called}{source}: scale {shown(facts['scale'], shape)}, zero point {facts.get('zero_point', 0)}"
        text += f", offset {shown(offset, shape)}" if offset else ""
        if "rounding" in facts:
            return f"{text}, rounded {facts['rounding']}"
        return f"{text}, by thresholds" if "thresholds" in facts else text

    def _source(self) -> str:
        lines = [f'#include "{self.name}_float.h"', "", "#include <stddef.h>"]
        rounding = rounding_functions(self.ends.facts[t.name] for t in self.ends.inputs)
        text = "\n".join(lines) + "\n" + rounding + _NUMBERS + (_gain_of(self.ends.gain) if self.ends.gain else "")
        text += "\n" + "\n".join([self._signature(), "{", *self._body(), "}", ""])
        return text + ("\n" + "\n".join(self._push.definitions()) if self._push else "")

    def _body(self) -> list[str]:
        """Return the lines of the function: check, make integers, infer, make real numbers."""
        integers = [(self._variable(self.ends.taken[t.name], "integers"), t) for t in self.ends.inputs]
        integers += [(self._variable(n, "integers"), t) for n, t in self._outputs()]
        call = ", ".join(["ctx", *(n for n, _ in integers)])
        return [
            *self._checks(),
            *(f"    {t.ctype} {n}[{t.size}];" for n, t in integers),
            *self._quantise(),
            "",
            f"    const {self.name}_status status = {self.name}_infer({call});",
            f"    if (status != {self.upper}_OK) {{",
            "        return status;",
            "    }",
            *(line for n, t in self.ends.outputs for line in self._dequantise(self.ends.given[n], t, n)),
            f"    return {self.upper}_OK;",
        ]

    def _checks(self) -> list[str]:
        """Return the lines that refuse null pointers and what is no number."""
        pointers = ["ctx", *self.ends.named_reals.values(), *(n for n, _ in self._outputs())]
        numbers = [f"are_numbers({self.ends.named_reals[n]}, {t.size})" for n, (t, *_) in self.ends.reals.items()]
        lines = [f"    if ({' || '.join(f'!{p}' for p in pointers)}) {{", f"        return {self.upper}_NULL;", "    }"]
        lines += [f"    if (!({' && '.join(numbers)})) {{", f"        return {self.upper}_OUT_OF_RANGE;", "    }"]
        return lines

    def _quantise(self) -> list[str]:
        """Return the lines that make integers of real inputs."""
        lines: list[str] = []
        for real, t in ((real, t) for real, tensors in self.ends.reals.items() for t in tensors):
            name, gained = self.ends.taken[t.name], self.ends.has_gain(t.name)
            if gained:
                lines += [f"    const double gain = gain_of({name}, {t.size});"]
                lines += ["    if (gain == 0) {", f"        return {self.upper}_OUT_OF_RANGE;", "    }"]
            variable = partial(self._variable, name)
            lines += quantise(t, variable, self.ends.named_reals[real], self.ends.facts[t.name], gained)
        return lines

    def _dequantise(self, name: str, t: Tensor, key: str) -> list[str]:
        """Return the lines that make real numbers of output `key`, which C calls `name`."""
        facts, offset, gain = self.ends.facts[key], self.ends.offset_of(key), self.ends.gain
        zero = int(facts.get("zero_point") or 0)
        factor, lines = each(self._variable(name, "scale"), t, facts["scale"])
        added, more = each(self._variable(name, "offset"), t, offset)
        found = f"{self._variable(name, 'integers')}[i]"
        value = f"({found} - {zero}) * {factor}" if zero else f"{found} * {factor}"
        value += (" * gain" if gain and key in gain.outputs else "") + (f" + {added}" if offset else "")
        return [
            *lines,
            *more,
            f"    for (int32_t i = 0; i < {t.size}; i++) {{",
            f"        {name}[i] = (float)({value});",
            "    }",
        ]


def _gain_of(gain: Gain) -> str:
    """Return the C function that finds the gain of a window."""
    low, high = gain.exponents
    text = _GAIN.replace("2^LOW", f"2^{low}").replace("2^HIGH", f"2^{high}")
    return text.replace("SMALLEST", repr(2.0**low)).replace("LARGEST", repr(2.0**high))
