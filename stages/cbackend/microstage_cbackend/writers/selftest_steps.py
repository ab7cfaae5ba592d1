"""The part of selftest.c for networks whose parts all run at every step: whole records, in integers, in real samples,
bit for bit, and in int16 samples, beside the same samples as real ones."""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.program.model import Model, SteppedModel
from microstage_cbackend.vectors.plan import Plan
from microstage_cbackend.vectors.real import PREFIX
from microstage_cbackend.writers.int16_api import UNIT
from microstage_cbackend.writers.names import unique
from microstage_cbackend.writers.stream_api import StreamApi

__all__ = ["INT16", "RECORD", "StepsTest"]

INT16, RECORD, REFUSED, WHOLE = "int16.", "record.", "refused.", "whole."
"Prefixes of boundaries: by int16 samples; over a whole record; refused samples; of an answer from the start."

_STEPS = """
/* Every step of a record, the states carried by the network itself. Returns its status. */
static int test_record(long vector)
{{
    {model}_state state;
{arrays}

    {model}_state_reset(&state);
    for (long step = 0; step < {length}; step++) {{
{fills}
        {model}_status status = {model}_infer_step({arguments});
        if (status != {upper}_OK) {{
            return (int)status;
        }}
{compares}
    }}
    return 0;
}}

/* The answer of the first {steps} steps. Returns its status. */
static int test_whole(long vector)
{{
{whole_arrays}

{whole_fills}
    {model}_status status = {model}_infer({whole_arguments});
    if (status != {upper}_OK) {{
        return (int)status;
    }}
{whole_compares}
    return 0;
}}
"""

_REAL = """
/* The float32 of this pattern of bits. */
static float float_of(int64_t bits)
{{
    const uint32_t pattern = (uint32_t)bits;
    float value;
    memcpy(&value, &pattern, sizeof value);
    return value;
}}

static int64_t bits_of(float value)
{{
    uint32_t pattern;
    memcpy(&pattern, &value, sizeof pattern);
    return (int64_t)pattern - (pattern >> 31 ? (int64_t)1 << 32 : 0);
}}

/* Patterns of no number, of infinities, and of what is next beyond the largest gain. */
static const uint32_t refused[] = {{0x7fc00000u, 0x7f800000u, 0xff800000u, {beyond:#010x}u, {below:#010x}u}};

/* A record sample by sample, between them samples that are refused; its first answer at once. Returns its status. */
static int test_real(long vector)
{{
    static float first[{first}];
    float answer[{values}];
    {model}_stream stream;

    {model}_reset(&stream);
    for (long n = 0; n < {count}; n++) {{
        const float sample = float_of({waveform}[n]);
        if (n < {first}) {{
            first[n] = sample;
        }}
        compare(&tallies[{refusals}], vector, n, {upper}_OUT_OF_RANGE, {model}_push(&ctx, &stream, float_of(refused[n \
% 5]), answer));
        const {model}_status status = {model}_push(&ctx, &stream, sample, answer);
        if (status != ((n + 1) % {samples} ? {upper}_WAITING : {upper}_OK)) {{
            return 1 + (int)status;
        }}
        for (long k = 0; status == {upper}_OK && k < {values}; k++) {{
            const long place = n / {samples} * {values} + k;
            compare(&tallies[{answers}], vector, place, {expected}[place], bits_of(answer[k]));
        }}
    }}
    {model}_status status = {model}_infer_float(&ctx, first, answer);
    for (long k = 0; k < {values}; k++) {{
        const long place = {last} + k;
        compare(&tallies[{whole}], vector, place, {expected}[place], bits_of(answer[k]));
    }}
    for (int k = 0; k < 5 && status == {upper}_OK; k++) {{
        first[{first} - 1] = float_of(refused[k]);
        compare(&tallies[{refusals}], vector, {first} - 1, {upper}_OUT_OF_RANGE, {model}_infer_float(&ctx, first, \
answer));
    }}
    return (int)status;
}}
"""

_INT16 = """
/* The largest power of two by which no sample of the record exceeds 2^bits. */
static double scale_of(int bits)
{{
    double peak = 0, scale = 1, most = 1 << bits;
    for (long n = 0; n < {count}; n++) {{
        const double size = float_of({waveform}[n]);
        peak = size > peak ? size : -size > peak ? -size : peak;
    }}
    while (peak > 0 && peak * scale > most) {{
        scale /= 2;
    }}
    while (peak > 0 && peak * scale * 2 <= most) {{
        scale *= 2;
    }}
    return scale;
}}

/* The record as int16 samples of 15 bits, or of fewer, beside the same as real ones. Returns its status. */
static int test_int16(long vector)
{{
    const double scale = scale_of(15 - (int)(vector % 15));
    int32_t answer[{values}];
    float real[{values}];
    {model}_stream_int16 stream;
    {model}_stream beside;

    {model}_reset_int16(&stream);
    {model}_reset(&beside);
    for (long n = 0; n < {count}; n++) {{
        const double value = float_of({waveform}[n]) * scale;
        const int16_t sample = (int16_t)(value >= 32767 ? 32767 : value <= -32768 ? -32768 : value < 0 ? value - 0.5 : \
value + 0.5);
        const {model}_status status = {model}_push_int16(&ctx, &stream, sample, answer);
        if (status != {model}_push(&ctx, &beside, sample, real) || (status != {upper}_WAITING && status != \
{upper}_OK)) {{
            return 1 + (int)status;
        }}
        for (long k = 0; status == {upper}_OK && k < {values}; k++) {{
            const double expected = (double)real[k] * {unit}, apart = expected - answer[k], most = 0.508 + expected / \
(1 << 24);
            compare(&tallies[{answers}], vector, n / {samples} * {values} + k, 1, apart <= most && -apart <= most);
        }}
{states}    }}
    return 0;
}}
"""


class StepsTest:
    """`tallies`, `text` and `calls` of the tests; `names`: all tallies, by which they are known in C."""

    after = ""

    def __init__(self, model: Model, plan: Plan, real: StreamApi) -> None:
        self.model, self.plan, self.real, self.int16 = model, plan, real, real.int16
        self.recurrent: SteppedModel = model.recurrent
        self.outputs = {n: t for n, t in self.recurrent.outputs}
        self.carried = {self._recorded(t.name): t for t in self.recurrent.states}

    def _recorded(self, state: str) -> str:
        """What golden vectors call what a state is carried from."""
        roles = self.recurrent.sequence
        return state if state in roles.states else roles.carried[state]

    @property
    def headers(self) -> list[str]:
        return [f"{self.model.name}{kind}.h" for kind in self.real.kinds or [""]]

    @property
    def tallies(self) -> list[str]:
        """The boundaries that are counted."""
        found = [f"{kind}{n}" for kind in (RECORD, WHOLE) for n in self.outputs]
        if self.real.possible:
            found += [
                f"{PREFIX}{self.real.answer}",
                f"{WHOLE}{PREFIX}{self.real.answer}",
                f"{REFUSED}{PREFIX}{self.real.waveform}",
            ]
        if self.int16.possible:
            found += [f"{INT16}{PREFIX}{self.real.answer}", *(f"{INT16}{n}" for n in self.carried)]
        return found

    @property
    def calls(self) -> list[str]:
        """C, once per vector."""
        real = ["test_real(vector)"] * self.real.possible + ["test_int16(vector)"] * self.int16.possible
        return ["test_record(vector)", "test_whole(vector)", *real]

    def text(self, names: list[str], arrays: Mapping[str, str]) -> str:
        """The functions of `calls`."""
        text = self._steps(names, arrays)
        text += _REAL.format(**self._facts(names, arrays)) if self.real.possible else ""
        return text + (
            _INT16.format(**(self._facts(names, arrays) | self._beside(names))) if self.int16.possible else ""
        )

    def _steps(self, names: list[str], arrays: Mapping[str, str]) -> str:
        c, upper = self.recurrent, self.model.name.upper()
        own = dict(
            zip(
                [*(t.name for t in c.own), *self.outputs],
                unique(f"value_{n}" for n in [*(t.name for t in c.own), *self.outputs]),
            )
        )
        exponents = [arrays[c.exponent.name]] if c.exponent else []
        given = ", ".join(
            [
                *(own[t.name] for t in c.own),
                *(f"(int32_t){e}[step]" for e in exponents),
                *(own[n] for n in self.outputs),
            ]
        )
        each, last = [], []
        for n, t in self.outputs.items():
            for kind, lines, start, indent in (
                (RECORD, each, f"step * {t.size}", "        "),
                (WHOLE, last, f"{(c.steps - 1) * t.size}", "    "),
            ):
                lines.append(f"{indent}for (long n = 0; n < {t.size}; n++) {{")
                lines.append(
                    f"{indent}    compare(&tallies[{names.index(kind + n)}], vector, {start} + n, {arrays[n]}[{start} "
                    f"+ n], {own[n]}[n]);"
                )
                lines.append(f"{indent}}}")
        whole = {t.name: f"whole_{n}" for n, t in enumerate(c.inputs)}
        results = [f"    {t.ctype} {own[n]}[{t.size}];" for n, t in self.outputs.items()]
        return _STEPS.format(
            model=self.model.name,
            upper=upper,
            length=self.plan.length,
            steps=c.steps,
            arguments=f"&ctx, &state, {given}",
            arrays="\n".join([*(f"    {t.ctype} {own[t.name]}[{t.size}];" for t in c.own), *results]),
            fills="\n".join(
                f"        COPY({own[t.name]}, {arrays[t.name]} + step * {t.size}, {t.size});" for t in c.own
            ),
            compares="\n".join(each),
            whole_compares="\n".join(last),
            whole_arrays="\n".join([*(f"    {t.ctype} {whole[t.name]}[{t.size}];" for t in c.inputs), *results]),
            whole_fills="\n".join(f"    COPY({whole[t.name]}, {arrays[t.name]}, {t.size});" for t in c.inputs),
            whole_arguments=", ".join(["&ctx", *whole.values(), *(own[n] for n in self.outputs)]),
        )

    def _facts(self, names: list[str], arrays: Mapping[str, str]) -> dict[str, object]:
        real, answer, waveform = self.real, f"{PREFIX}{self.real.answer}", f"{PREFIX}{self.real.waveform}"
        beyond = (real.gain.exponents[1] + 127 << 23) + 1
        return {
            "model": self.model.name,
            "upper": self.model.name.upper(),
            "values": real.values,
            "samples": real.samples,
            "count": self.plan.length * real.samples,
            "first": self.recurrent.steps * real.samples,
            "last": (self.recurrent.steps - 1) * real.values,
            "waveform": arrays[waveform],
            "expected": arrays[answer],
            "beyond": beyond,
            "below": beyond | 1 << 31,
            "refusals": names.index(f"{REFUSED}{waveform}"),
            "whole": names.index(f"{WHOLE}{answer}"),
            "answers": names.index(answer),
        }

    def _beside(self, names: list[str]) -> dict[str, object]:
        """What is carried by both, compared."""
        lines = []
        for boundary, t in self.carried.items():
            field, tally = self.real.api.stepping.fields[t.name], names.index(f"{INT16}{boundary}")
            place = f"n / {self.real.samples} * {t.size} + k"
            lines += [f"        for (long k = 0; status == {self.model.name.upper()}_OK && k < {t.size}; k++) {{"]
            lines += [
                f"            compare(&tallies[{tally}], vector, {place}, beside.state.{field}[k], "
                f"stream.state.{field}[k]);",
                "        }",
            ]
        answers = names.index(f"{INT16}{PREFIX}{self.real.answer}")
        return {"states": "\n".join([*lines, ""]), "unit": 1 << UNIT, "answers": answers}
