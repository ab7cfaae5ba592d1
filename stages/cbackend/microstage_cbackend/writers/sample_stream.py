"""Describe a network whose steps are windows of one waveform, as its functions on samples see it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from microstage.errors import ModelError
from microstage.interface.answer import PhasorMean
from microstage.interface.gain import Gain
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.stepped import SteppedModel
from microstage_cbackend.vectors.real import RealVectors
from microstage_cbackend.writers.names import Names
from microstage_cbackend.writers.signatures import signature
from microstage_cbackend.writers.stepping import Stepping

__all__ = ["SampleStream", "sample_stream_of"]

_LOCALS = "samples answer state exponent factor window size average more factors places".split()
"Variables of the functions on samples."


@dataclass
class SampleStream:
    """Hold what the functions on samples are written of.

    `gain` brings each `window` (the integers of a step) to full scale, `mean` is what the answer is made of.
    `sum_scale`: of the integers of its sum; `correction_scale`: of its correction, one number or one for each value.
    `samples_name` and `answer_name`: what real vectors call both.
    """

    stepping: Stepping
    recurrent: SteppedModel
    gain: Gain
    mean: PhasorMean
    window: Tensor
    samples_name: str
    answer_name: str
    window_scale: float
    sum_scale: float
    correction_scale: float | list[float]

    def __post_init__(self) -> None:
        self.name, self.upper = self.stepping.name, self.stepping.upper
        inside = Names(self.name)
        for own in _LOCALS:
            inside.fresh(own)
        self.outputs = {n: inside.fresh(n) for n, _ in self.recurrent.outputs}
        "Variables of the functions that hold outputs of a step, by the names of these."

    @property
    def values(self) -> int:
        """Count the values of an answer."""
        return self.recurrent.computed[self.mean.count].size

    @property
    def samples(self) -> int:
        """Count the samples of a step."""
        return self.window.size

    @property
    def places(self) -> int:
        """Return by how many powers of two a full window's integers exceed its samples over the gain."""
        return -round(math.log2(self.window_scale))

    def stream_bytes(self, bytes: int) -> int:
        """Count the bytes of a stream whose samples, and how many there are, have `bytes` each."""
        return self.stepping.stream_bytes((bytes, bytes * self.samples), (bytes, bytes))

    def reset_signature(self, kind: str = "") -> str:
        """Return the prototype that begins a stream; `kind`: what its functions end in."""
        return f"void {self.name}_reset{kind}({self.name}_stream{kind} *stream)"

    def push_signature(self, sample: str, answer: str, kind: str = "") -> str:
        """Return the prototype that takes one sample, of C types `sample` and `answer`."""
        fixed = [f"const {self.name}_ctx *ctx", f"{self.name}_stream{kind} *stream"]
        arguments = [*fixed, f"{sample} sample", f"{answer} answer[{self.values}]"]
        return signature(f"{self.name}_status", f"{self.name}_push{kind}", arguments)

    def reset(self, kind: str = "") -> list[str]:
        """Return the lines of the function that begins a stream."""
        return ["", self.reset_signature(kind), "{", f"    *stream = ({self.name}_stream{kind}){{0}};", "}"]

    def push(self, prototype: str, checks: list[str]) -> list[str]:
        """Return the lines of the function that takes one sample; `checks` refuse a sample."""
        return [
            "",
            prototype,
            "{",
            "    if (!ctx || !stream || !answer) {",
            f"        return {self.upper}_NULL;",
            "    }",
            *checks,
            "    stream->samples[stream->filled++] = sample;",
            f"    if (stream->filled < {self.samples}) {{",
            f"        return {self.upper}_WAITING;",
            "    }",
            "    stream->filled = 0;",
            f"    return {self.name}_stream_answer(ctx, &stream->state, stream->samples, answer);",
            "}",
        ]

    def step(self, sample: str, answer: str, before: list[str], level: str, after: list[str]) -> list[str]:
        """Return the lines of the function that answers behind a window of samples, of C types `sample` and `answer`.

        `before`: the lines that choose the exponent of the gain; `level`: the i-th integer of the window; `after`: the
        lines that make the answer of what the step gives.
        """
        w, outputs = self.window, ", ".join(self.outputs.values())
        fixed = [f"const {self.name}_ctx *ctx", f"{self.name}_state *state"]
        arguments = [*fixed, f"const {sample} *samples", f"{answer} *answer"]
        return [
            signature(f"static {self.name}_status", f"{self.name}_stream_answer", arguments),
            "{",
            *before,
            f"    {w.ctype} window[{w.size}];",
            *(f"    {t.ctype} {self.outputs[n]}[{t.size}];" for n, t in self.recurrent.outputs),
            "",
            f"    for (int32_t i = 0; i < {w.size}; i++) {{",
            f"        window[i] = ({w.ctype}){level};",
            "    }",
            f"    const {self.name}_status status = {self.name}_infer_step(ctx, state, window, exponent, {outputs});",
            f"    if (status != {self.upper}_OK) {{",
            "        return status;",
            "    }",
            *after,
            f"    return {self.upper}_OK;",
            "}",
        ]


def sample_stream_of(
    stepping: Stepping, facts: Mapping[str, Mapping[str, Any]], real: RealVectors | None
) -> SampleStream | None:
    """Return the waveform that a network takes, None where there are no `real` vectors to compare its functions on.

    `facts`: scales of the network's tensors by name. Raises `ModelError` where the functions cannot hold the scales.
    """
    recurrent, gain, mean = stepping.recurrent, stepping.recurrent.gain, stepping.recurrent.mean
    if real is None or gain is None or mean is None:
        return None
    (samples,), (answer,), (window,) = real.inputs, real.outputs, recurrent.step_inputs
    scales = {n: facts.get(n, {}).get("scale") for n in (window.name, mean.sum, mean.correction)}
    of_window, of_sum, of_correction = scales.values()
    if (
        of_window is None
        or of_correction is None
        or not isinstance(of_sum, float | int)
        or not _fits(window, of_window)
    ):
        raise ModelError(
            f"{window.name} is in {window.low}..{window.high}, and the scales are {scales}; expected a window as far"
            " below zero as above at a power of two, one scale of sum, and scales of correction."
        )
    return SampleStream(stepping, recurrent, gain, mean, window, samples, answer, of_window, of_sum, of_correction)


def _fits(window: Tensor, scale: float | list[float]) -> bool:
    """Tell whether a window is as far below zero as above, at a power of two."""
    power = not isinstance(scale, list) and scale > 0 and math.frexp(scale)[0] == 0.5
    return power and window.low == -window.high
