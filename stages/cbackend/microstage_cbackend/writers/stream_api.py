"""<model>_float.h and .c of a network whose steps are windows of one waveform: an answer of several, or one sample at a
time, real numbers in and out."""

from __future__ import annotations

import math

from microstage.errors import ModelError
from microstage_cbackend.kernels.layouts import fast_files
from microstage_cbackend.vectors.real import RealVectors
from microstage_cbackend.writers.api import Api
from microstage_cbackend.writers.follow_api import FollowApi
from microstage_cbackend.writers.int16_api import Int16Api
from microstage_cbackend.writers.names import CPLUSPLUS, Names
from microstage_cbackend.writers.quantising import each, shown
from microstage_cbackend.writers.signatures import signature

__all__ = ["StreamApi"]


class StreamApi:
    """`possible` where there are `real` vectors to compare it on; `waveform` and `answer`: what these are called
    there."""

    def __init__(self, api: Api, real: RealVectors | None) -> None:
        self.api, self.model, self.recurrent = api, api.model, api.model.recurrent
        self.name, self.upper = api.model.name, api.model.name.upper()
        self.possible = real is not None
        if self.possible:
            self._read(real)
        self.int16, self.follow = Int16Api(self), FollowApi(self)

    def _read(self, real: RealVectors) -> None:
        (self.waveform,), (self.answer,) = real.inputs, real.outputs
        self.gain, self.mean, (self.window,) = self.recurrent.gain, self.recurrent.mean, self.recurrent.own
        names = Names(self.name)
        self.taken, self.given = names.fresh(self.waveform), names.fresh(self.answer)
        inside = Names(self.name)
        for own in (
            "samples",
            "answer",
            "state",
            "exponent",
            "factor",
            "window",
            "size",
            "average",
            "more",
            "factors",
            "places",
        ):
            inside.fresh(own)
        self.outputs = {n: inside.fresh(n) for n, _ in self.recurrent.outputs}
        facts = self.model.facts_of_ends()
        self.scales = {
            n: facts.get(n, {}).get("scale") for n in (self.window.name, self.mean.sum, self.mean.correction)
        }
        if (
            None in self.scales.values()
            or isinstance(self.scales[self.mean.sum], list)
            or self.window.low != -self.window.high
            or not _is_power(self.scales[self.window.name])
        ):
            raise ModelError(
                f"{self.window.name} is in {self.window.low}..{self.window.high}, and the scales are {self.scales}; "
                "expected a window as far"
                " below zero as above at a power of two, one scale of sum, and scales of correction."
            )

    @property
    def kinds(self) -> list[str]:
        """What headers of functions for samples are called behind the network's name."""
        return [
            kind
            for kind, there in (
                ("_float", self.possible),
                ("_int16", self.int16.possible),
                ("_follow", self.follow.possible),
            )
            if there
        ]

    @property
    def values(self) -> int:
        """Of an answer."""
        return self.recurrent.made[self.mean.count].size

    @property
    def samples(self) -> int:
        """Of a step."""
        return self.window.size

    @property
    def places(self) -> int:
        """By how many powers of two a full window's integers exceed its samples over the gain."""
        return -round(math.log2(self.scales[self.window.name]))

    @property
    def stream_bytes(self) -> int:
        return self.api.stepping.stream_bytes((4, 4 * self.samples), (4, 4))

    def prototypes(self) -> dict[str, list[str]]:
        """{header: its functions}, for the README."""
        own = [self._infer_signature(), self._reset_signature(), self._push_signature()] if self.possible else []
        return {f"{self.name}_float.h": own} | self.int16.prototypes() | self.follow.prototypes()

    def reach(self) -> list[str]:
        """How large and how small the real values of a window may be, as the README says it."""
        if not self.possible:
            return []
        low, high = self.gain.exponents
        text = [
            f"Functions of real numbers refuse a sample beyond 2^{high} ({2.0**high:.2g} of the samples' unit), or "
            "one that is infinite or no number:"
        ]
        text += [
            "it is not taken, and neither the window nor what is carried changes; give another in its place, or go on "
            "without it. A window"
        ]
        text += [f"that stays below 2^{low} ({2.0**low:.2g}) is resolved in steps of 2^{low - self.places}."]
        return ["", *text]

    def entering(self) -> list[str]:
        return []

    def ranked(self) -> list[str]:
        return []

    def files(self) -> dict[str, str]:
        if not self.possible:
            return {}
        return (
            {f"{self.name}_float.h": self._header(), f"{self.name}_float.c": self._source()}
            | fast_files("ms_gain.h")
            | self.int16.files()
            | self.follow.files()
        )

    def _infer_signature(self) -> str:
        size = self.recurrent.steps * self.samples
        arguments = [
            f"const {self.name}_ctx *ctx",
            f"const float {self.taken}[{size}]",
            f"float {self.given}[{self.values}]",
        ]
        return signature(f"{self.name}_status", f"{self.name}_infer_float", arguments)

    def _reset_signature(self) -> str:
        return f"void {self.name}_reset({self.name}_stream *stream)"

    def _push_signature(self) -> str:
        arguments = [
            f"const {self.name}_ctx *ctx",
            f"{self.name}_stream *stream",
            "float sample",
            f"float answer[{self.values}]",
        ]
        return signature(f"{self.name}_status", f"{self.name}_push", arguments)

    def _header(self) -> str:
        guard, (low, high), steps, size = (
            f"{self.upper}_FLOAT_H",
            self.gain.exponents,
            self.recurrent.steps,
            self.samples,
        )
        scales = {n: shown(scale, (self.values,)) for n, scale in self.scales.items()}
        lines = [
            f"/* {self.name} on real samples, in any unit, in which the answers are too.",
            " *",
            f" * Each window of {size} samples is brought to full scale by the smallest power of two that no sample "
            f"exceeds, from 2^{low} to",
            f" * 2^{high}. The answer to it, in float64, is max(0, gain * (size / count + correction)): the size of "
            f"phasor {self.mean.sum}, times",
            f" * {scales[self.mean.sum]}, over {self.mean.count}, and {self.mean.correction} times "
            f"{scales[self.mean.correction]}.",
            " */",
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            f'#include "{self.name}.h"',
            "",
            *CPLUSPLUS[0],
            "",
            f"/* {steps} windows from the start of a record; {self.upper}_OUT_OF_RANGE where a sample is beyond "
            f"2^{high} or no number. */",
            f"{self._infer_signature()};",
            "",
            f"/* A waveform as it comes, {self.stream_bytes} bytes; all zero bytes is its start. */",
            f"typedef struct {{ {self.name}_state state; float samples[{size}]; int32_t filled; }} {self.name}_stream;",
            f"{self._reset_signature()};",
            "",
            f"#define {self.upper}_WAITING (({self.name}_status)3)",
            f"/* Takes one sample. {self.upper}_OK: it was the last of a window, and answer holds that to all since "
            "the start;",
            f" * {self.upper}_WAITING: there are fewer than {size}. A sample beyond 2^{high}, infinite or no number, "
            "is refused,",
            f" * {self.upper}_OUT_OF_RANGE: it is not taken, and neither the window nor what is carried changes. Give "
            "another in its",
            " * place, say the last once more: without, all that follows comes a sample early. */",
            f"{self._push_signature()};",
        ]
        return "\n".join([*lines, "", *CPLUSPLUS[1], "", "#endif", ""])

    def _source(self) -> str:
        return "\n".join(
            [
                f'#include "{self.name}_float.h"',
                "",
                "#include <stddef.h>",
                "",
                '#include "ms_gain.h"',
                *self._step(),
                *self._infer(),
                *self._push(),
                "",
            ]
        )

    def _step(self) -> list[str]:
        name, w, (low, _) = self.name, self.window, self.gain.exponents
        fixed = [f"const {name}_ctx *ctx", f"{name}_state *state", "const float *samples", "float *answer"]
        lines = ["", f"/* The answer behind a window of {w.size} numbers, none of them beyond the largest gain. */"]
        lines += [signature(f"static {name}_status", f"{name}_stream_answer", fixed), "{"]
        lines += [f"    const int32_t exponent = ms_exponent_of(samples, {w.size}, {low});"]
        lines += [
            f"    const float factor = ms_power_of_two({self.places} - exponent);",
            f"    {w.ctype} window[{w.size}];",
        ]
        lines += [f"    {t.ctype} {self.outputs[n]}[{t.size}];" for n, t in self.recurrent.outputs] + [""]
        lines += [f"    for (int32_t i = 0; i < {w.size}; i++) {{"]
        lines += [f"        window[i] = ({w.ctype})ms_level(samples[i] * factor, {w.high});", "    }"]
        call = f"{name}_infer_step(ctx, state, window, exponent, {', '.join(self.outputs.values())})"
        lines += [f"    const {name}_status status = {call};"]
        lines += [f"    if (status != {self.upper}_OK) {{", "        return status;", "    }"]
        return [*lines, *self._mean(), f"    return {self.upper}_OK;", "}"]

    def _mean(self) -> list[str]:
        """Each statement rounds once: none is contracted with another."""
        total, correction, count = (self.outputs[n] for n in (self.mean.sum, self.mean.correction, self.mean.count))
        factor, tables = each("factors", self.recurrent.made[self.mean.correction], self.scales[self.mean.correction])
        lines = [*tables, f"    for (int32_t i = 0; i < {self.values}; i++) {{"]
        lines += [f"        const double size = ms_size({total}[i], {total}[i + {self.values}]);"]
        lines += [f"        const double average = {self.scales[self.mean.sum]!r} * size / {count}[i];"]
        lines += [f"        const double more = {factor} * {correction}[i];"]
        lines += ["        const double value = (average + more) * (double)ms_power_of_two(exponent);"]
        return [*lines, "        answer[i] = value > 0 ? (float)value : 0;", "    }"]

    def _infer(self) -> list[str]:
        name, size, (_, high) = self.name, self.recurrent.steps * self.samples, self.gain.exponents
        lines = [
            "",
            self._infer_signature(),
            "{",
            f"    if (!ctx || !{self.taken} || !{self.given}) {{",
            f"        return {self.upper}_NULL;",
            "    }",
        ]
        lines += [
            f"    for (int32_t i = 0; i < {size}; i++) {{",
            f"        if (!ms_is_sample({self.taken}[i], {high})) {{",
        ]
        lines += [f"            return {self.upper}_OUT_OF_RANGE;", "        }", "    }"]
        lines += [
            f"    {name}_state state;",
            f"    {name}_status status = {self.upper}_OK;",
            "",
            f"    {name}_state_reset(&state);",
        ]
        lines += [f"    for (int32_t step = 0; step < {self.recurrent.steps} && status == {self.upper}_OK; step++) {{"]
        return [
            *lines,
            f"        status = {name}_stream_answer(ctx, &state, {self.taken} + step * {self.samples}, {self.given});",
            "    }",
            "    return status;",
            "}",
        ]

    def _push(self) -> list[str]:
        name, (_, high) = self.name, self.gain.exponents
        lines = [
            "",
            self._reset_signature(),
            "{",
            f"    *stream = ({name}_stream){{0}};",
            "}",
            "",
            self._push_signature(),
            "{",
        ]
        lines += ["    if (!ctx || !stream || !answer) {", f"        return {self.upper}_NULL;", "    }"]
        lines += [f"    if (!ms_is_sample(sample, {high})) {{", f"        return {self.upper}_OUT_OF_RANGE;", "    }"]
        lines += [
            "    stream->samples[stream->filled++] = sample;",
            f"    if (stream->filled < {self.samples}) {{",
            f"        return {self.upper}_WAITING;",
            "    }",
        ]
        return [
            *lines,
            "    stream->filled = 0;",
            f"    return {name}_stream_answer(ctx, &stream->state, stream->samples, answer);",
            "}",
        ]


def _is_power(scale: float) -> bool:
    return scale > 0 and math.frexp(scale)[0] == 0.5
