"""<model>_float.h and .c: real numbers in and out by the documented scales, and, for waveforms, one sample at a time.

They lie apart from the library, which computes in integers alone. They are written where there are real vectors that
the self test compares them on.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from microstage.errors import ArtefactError, ModelError
from microstage.interface.ranking import ranking
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.vectors.real import RealVectors
from microstage_cbackend.writers.api import Api
from microstage_cbackend.writers.names import CPLUSPLUS, Names, in_comment, quoted
from microstage_cbackend.writers.quantising import each, is_sign, quantise, rounding_functions, shown
from microstage_cbackend.writers.signatures import signature

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
    """Text of the float wrapper; `possible` where every end of `<model>_infer` has a scale, and there are `real`
    vectors to compare it on."""

    def __init__(self, api: Api, real: RealVectors | None) -> None:
        self.api, self.model = api, api.model
        self.name, self.upper = api.model.name, api.model.name.upper()
        self.inputs, self.outputs = api.ends or ([], [])
        self.taken = {t.name: own for t, own in zip(self.inputs, api.taken)} if api.ends else {}
        self.given = {n: own for (n, _), own in zip(self.outputs, api.given)} if api.ends else {}
        self._names, self._derived = Names(self.name), {}
        for own in (*self.taken.values(), *self.given.values()):
            self._names.fresh(own)
        self.reals = self.model.real_inputs()
        self.named_reals = {
            name: self.taken[name] if name in self.taken else self._names.fresh(name) for name in self.reals
        }
        known = self.model.facts_of_ends()
        self._facts = {
            name: known.get(name, {}) for name in [*(t.name for t in self.inputs), *(n for n, _ in self.outputs)]
        }
        self._shapes = {t.name: t.shape for t in self.inputs} | {n: t.shape for n, t in self.outputs}
        self.possible = real is not None and all(f.get("scale") is not None for f in self._facts.values())
        self.gain = self.model.gain
        for name, size in {**{t.name: t.size for t in self.inputs}, **{n: t.size for n, t in self.outputs}}.items():
            for fact in ("scale", "offset"):
                given = self._facts[name].get(fact)
                if isinstance(given, list) and len(given) != size:
                    raise ArtefactError(
                        f"{name} has {size} values and interface.json a {fact} of {len(given)}; expected one, or one "
                        "for each."
                    )
            if self.possible and not all(v and np.isfinite(v) for v in np.atleast_1d(self._facts[name]["scale"])):
                raise ArtefactError(
                    f"{name} has the scale {self._facts[name]['scale']}; expected finite numbers other than 0."
                )
            if self.gain and name in (self.gain.window, *self.gain.outputs) and self.offset_of(name) != 0:
                raise ModelError(f"{name} has an offset beside a gain; expected multiples of the gain.")

    def offset_of(self, name: str) -> float | list[float]:
        """What is added to scale x integer, one number or one for each value."""
        return self._facts[name].get("offset") or 0.0

    def differs(self, name: str) -> bool:
        """Whether the values of an output have scales or offsets of their own: their integers are not in the values'
        order."""
        return any(isinstance(self._facts[name].get(fact), list) for fact in ("scale", "offset"))

    def order(self, name: str) -> list[str]:
        """What makes integers of an output that are in the order of its values, in words; nothing where its scales
        differ."""
        scale, offset = self._facts[name].get("scale"), self.offset_of(name)
        if isinstance(scale, list) or not scale or not isinstance(offset, list):
            return []
        factor, addends = ranking(abs(scale), np.array(offset))
        of = f"{factor if scale > 0 else -factor} x integer"
        return [
            f"In integers alone: {of} + what stands here for each is in the order of the values:",
            "",
            f"    {addends.tolist()}",
        ]

    def prototypes(self) -> dict[str, list[str]]:
        """{header: its functions}, for the README."""
        push = [self._push_signature()] if self.streams else []
        return {f"{self.name}_float.h": [self._infer_signature(), *push]} if self.possible else {}

    def ranked(self) -> list[str]:
        """What the README says of outputs whose integers are in another order than their values."""
        lines = []
        for n in [n for n, _ in self.outputs if self.differs(n)]:
            lines += [
                "",
                f"The values of {quoted(n)} have scales or offsets of their own: the largest integer is not the "
                "largest value. Compare",
            ]
            lines += [
                "scale x (integer - zero point) + "
                f"offset{f', or what {self.name}_infer_float gives' if self.possible else ''}."
            ]
            lines += self.order(n)
        return lines

    def entering(self) -> list[str]:
        """How integers are made of real values, of inputs of which the table of scales does not say it."""
        lines = []
        for name, facts in ((t.name, self._facts[t.name]) for t in self.inputs):
            source = f"{quoted(facts['of'])}, as others are" if "of" in facts else "real values"
            how = ["by thresholds, which are in the function of real numbers"] if "thresholds" in facts else []
            how += ["by their sign: -1 below the offset, 1 from there on"] if is_sign(facts) else []
            how += [f"rounded {facts['rounding']} (qonnx's name)"] if "rounding" in facts else []
            if how or "of" in facts:
                lines += ["", f"Integers of {quoted(name)} are made of {', '.join([source, *how])}."]
        return lines

    def reach(self) -> list[str]:
        """How large and how small the real values of a window with a gain may be, as the README says it."""
        if not (self.possible and self.gain):
            return []
        low, high = self.gain.exponents
        text = [
            f"Functions of real numbers refuse a window with a sample beyond 2^{high} ({2.0**high:.2g} of the "
            "samples' unit), or one that is"
        ]
        text += [
            f"infinite or no number; a window that stays below 2^{low} ({2.0**low:.2g}) is resolved in steps of "
            f"2^{low - 7}. Who makes integers"
        ]
        text += ["without them divides by a power of two of their own, and multiplies the answers by it."]
        return ["", *text]

    @property
    def hop(self) -> int:
        """Samples per recurrent step: the product of the encoder's strides."""
        hop = 1
        for layer in self.model.recurrent.encoder.layers:
            hop *= layer.shape.get("stride_w", 1)
        return hop

    @property
    def streams(self) -> bool:
        recurrent = self.model.recurrent
        return (
            self.possible
            and bool(self.gain and recurrent and recurrent.encoder)
            and len(self.inputs) == len(self.outputs) == 1
        )

    def files(self) -> dict[str, str]:
        return {f"{self.name}_float.h": self._header(), f"{self.name}_float.c": self._source()} if self.possible else {}

    def _input_name(self, t: Tensor) -> str:
        return self.taken[t.name]

    def _own(self, name: str, what: str) -> str:
        """The variable that holds the integers, scales or offsets of the argument `name`."""
        if (name, what) not in self._derived:
            self._derived[name, what] = self._names.fresh(f"{name}_{what}")
        return self._derived[name, what]

    def _infer_signature(self) -> str:
        arguments = [
            f"const {self.name}_ctx *ctx",
            *(f"const float {self.named_reals[name]}[{t.size}]" for name, (t, *_) in self.reals.items()),
        ]
        return signature(
            f"{self.name}_status",
            f"{self.name}_infer_float",
            [*arguments, *(f"float {n}[{t.size}]" for n, t in self._named_outputs())],
        )

    def _named_outputs(self) -> list[tuple[str, Tensor]]:
        return [(self.given[n], t) for n, t in self.outputs]

    def _push_signature(self) -> str:
        arguments = [
            f"const {self.name}_ctx *ctx",
            f"{self.name}_stream *stream",
            "float sample",
            f"float answer[{self.outputs[0][1].size}]",
        ]
        return signature(f"{self.name}_status", f"{self.name}_push", arguments)

    def _header(self) -> str:
        guard = f"{self.upper}_FLOAT_H"
        lines = [f"/* {self.name} on real numbers: value = scale * (integer - zero point) + offset."]
        held = "Values beyond the range are held at its end; one" if not self.gain else "A value"
        lines += [f" * {held} that is infinite or no number is refused: {self.upper}_OUT_OF_RANGE."]
        if self.gain:
            low, high = self.gain.exponents
            lines += [
                " *",
                f" * {self.taken[self.gain.window]} is a window of samples in any unit. It is brought to full scale "
                "by the smallest",
            ]
            lines += [
                f" * power of two that no sample exceeds (2^{low} to 2^{high}), and the answer is multiplied by it: "
                "answers are in the"
            ]
            lines += [
                f" * unit of the samples. A window beyond 2^{high} is refused ({self.upper}_OUT_OF_RANGE); one below "
                f"2^{low} is resolved as"
            ]
            lines += [f" * finely as one of 2^{low}, in steps of 2^{low - 7}."]
        names = [*(self._input_name(t) for t in self.inputs), *(n for n, _ in self._named_outputs())]
        lines += [" *"]
        for n, (name, f) in zip(names, self._facts.items()):
            scale, offset = (shown(value, self._shapes[name]) for value in (f["scale"], self.offset_of(name)))
            offset = f", offset {offset}" if self.offset_of(name) else ""
            rounding = (
                f", rounded {f['rounding']}" if "rounding" in f else ", by thresholds" if "thresholds" in f else ""
            )
            source = f" of {in_comment(f['of'])}" if "of" in f else ""
            lines.append(f" *   {n}{source}: scale {scale}, zero point {f.get('zero_point', 0)}{offset}{rounding}")
        lines += [" */"]
        lines += [
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            f'#include "{self.name}.h"',
            "",
            *CPLUSPLUS[0],
            "",
            f"{self._infer_signature()};",
        ]
        if self.streams:
            size = self.inputs[0].size
            lines += ["", f"/* The last {size} samples of a waveform; all zero bytes is an empty one. */"]
            lines += [
                f"typedef struct {{ float samples[{size}]; int32_t next, filled, since; }} {self.name}_stream;",
                "",
            ]
            lines += [f"void {self.name}_stream_reset({self.name}_stream *stream);"]
            ready = (
                f"{self.upper}_OK: answer holds that of the last {size} samples; {self.upper}_WAITING: not "
                f"enough samples yet."
            )
            lines += [f"/* Takes one sample. {ready}"]
            lines += [
                f" * An answer comes with the sample that fills the window and with every {self.hop}th after it. */"
            ]
            lines += [f"#define {self.upper}_WAITING (({self.name}_status)3)", f"{self._push_signature()};"]
        return "\n".join([*lines, "", *CPLUSPLUS[1], "", "#endif", ""])

    def _source(self) -> str:
        lines = [f'#include "{self.name}_float.h"', "", "#include <stddef.h>"]
        rounding = rounding_functions(self._facts[t.name] for t in self.inputs)
        text = "\n".join(lines) + "\n" + rounding + _NUMBERS + self._gain_of()
        text += "\n" + "\n".join([self._infer_signature(), "{", *self._infer_body(), "}", ""])
        return text + ("\n" + "\n".join(self._stream()) if self.streams else "")

    def _gain_of(self) -> str:
        if not self.gain:
            return ""
        text, (low, high) = _GAIN, self.gain.exponents
        for word, put in {
            "2^LOW": f"2^{low}",
            "2^HIGH": f"2^{high}",
            "SMALLEST": repr(2.0**low),
            "LARGEST": repr(2.0**high),
        }.items():
            text = text.replace(word, put)
        return text

    def _infer_body(self) -> list[str]:
        outputs = self._named_outputs()
        pointers = ["ctx", *self.named_reals.values(), *(n for n, _ in outputs)]
        lines = [f"    if ({' || '.join(f'!{p}' for p in pointers)}) {{", f"        return {self.upper}_NULL;", "    }"]
        numbers = [f"are_numbers({self.named_reals[name]}, {t.size})" for name, (t, *_) in self.reals.items()]
        lines += [f"    if (!({' && '.join(numbers)})) {{", f"        return {self.upper}_OUT_OF_RANGE;", "    }"]
        lines += [f"    {t.ctype} {self._own(self._input_name(t), 'integers')}[{t.size}];" for t in self.inputs]
        lines += [f"    {t.ctype} {self._own(n, 'integers')}[{t.size}];" for n, t in outputs]
        for real, t in ((real, t) for real, tensors in self.reals.items() for t in tensors):
            name, gained = self._input_name(t), bool(self.gain) and t.name == self.gain.window
            if gained:
                lines += [f"    const double gain = gain_of({name}, {t.size});"]
                lines += ["    if (gain == 0) {", f"        return {self.upper}_OUT_OF_RANGE;", "    }"]
            lines += quantise(t, partial(self._own, name), self.named_reals[real], self._facts[t.name], gained)
        call = ", ".join(
            [
                "ctx",
                *(self._own(self._input_name(t), "integers") for t in self.inputs),
                *(self._own(n, "integers") for n, _ in outputs),
            ]
        )
        lines += ["", f"    const {self.name}_status status = {self.name}_infer({call});"]
        lines += [f"    if (status != {self.upper}_OK) {{", "        return status;", "    }"]
        for (n, t), (name, _) in zip(outputs, self.outputs):
            lines += self._dequantise(n, t, name)
        return [*lines, f"    return {self.upper}_OK;"]

    def _dequantise(self, name: str, t: Tensor, key: str) -> list[str]:
        facts, offset = self._facts[key], self.offset_of(key)
        zero = int(facts.get("zero_point") or 0)
        factor, lines = each(self._own(name, "scale"), t, facts["scale"])
        added, more = each(self._own(name, "offset"), t, offset)
        found = f"{self._own(name, 'integers')}[i]"
        integer = f"({found} - {zero})" if zero else found
        value = (
            f"{integer} * {factor}"
            + (" * gain" if self.gain and key in self.gain.outputs else "")
            + (f" + {added}" if offset else "")
        )
        return [
            *lines,
            *more,
            f"    for (int32_t i = 0; i < {t.size}; i++) {{",
            f"        {name}[i] = (float)({value});",
            "    }",
        ]

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
