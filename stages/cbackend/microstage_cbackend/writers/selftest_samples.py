"""Write the part of selftest.c that streams whole records of samples, of a network whose parts all run at every step.

Answers to real samples are compared bit for bit with the reference's, those to int16 samples with those to the same
samples as real ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.vectors.plan import Plan
from microstage_cbackend.vectors.real import PREFIX
from microstage_cbackend.writers.int16_api import UNIT, Int16Api
from microstage_cbackend.writers.sample_stream import SampleStream
from microstage_cbackend.writers.selftest_float import REFUSED
from microstage_cbackend.writers.selftest_parts import WHOLE

__all__ = ["INT16", "SamplesTest"]

INT16 = "int16."
"Prefix of a boundary that is computed of int16 samples."

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


class SamplesTest:
    """Hold `tallies` (the boundaries that are counted) and `calls` (C, once per vector) of functions on samples."""

    def __init__(self, plan: Plan, waveform: SampleStream, int16: Int16Api | None) -> None:
        self.plan, self.waveform, self.int16 = plan, waveform, int16
        self._answer, self._samples = f"{PREFIX}{waveform.answer_name}", f"{PREFIX}{waveform.samples_name}"
        self._carried = {self._recorded(t.name): t for t in waveform.recurrent.states}
        self.tallies = [self._answer, f"{WHOLE}{self._answer}", f"{REFUSED}{self._samples}"]
        self.calls = ["test_real(vector)"]
        if int16:
            self.tallies += [f"{INT16}{self._answer}", *(f"{INT16}{n}" for n in self._carried)]
            self.calls += ["test_int16(vector)"]

    def _recorded(self, state: str) -> str:
        """Return what golden vectors call what a state is carried from."""
        roles = self.waveform.recurrent.sequence
        return state if state in roles.states else roles.carried[state]

    def text(self, names: list[str], arrays: Mapping[str, str]) -> str:
        """Return the functions of `calls`; `names`: all tallies in order; `arrays`: {boundary: its array}."""
        facts = self._facts(names, arrays)
        return _REAL.format(**facts) + (_INT16.format(**(facts | self._beside(names))) if self.int16 else "")

    def _facts(self, names: list[str], arrays: Mapping[str, str]) -> dict[str, object]:
        """Return the words of both templates."""
        w, steps = self.waveform, self.waveform.recurrent.steps
        beyond = (w.gain.exponents[1] + 127 << 23) + 1
        return {
            "model": w.name,
            "upper": w.upper,
            "values": w.values,
            "samples": w.samples,
            "count": self.plan.length * w.samples,
            "first": steps * w.samples,
            "last": (steps - 1) * w.values,
            "waveform": arrays[self._samples],
            "expected": arrays[self._answer],
            "beyond": beyond,
            "below": beyond | 1 << 31,
            "refusals": names.index(f"{REFUSED}{self._samples}"),
            "whole": names.index(f"{WHOLE}{self._answer}"),
            "answers": names.index(self._answer),
        }

    def _beside(self, names: list[str]) -> dict[str, object]:
        """Return the words that are others for int16 samples: what is carried by both is compared."""
        w, lines = self.waveform, []
        for boundary, t in self._carried.items():
            field, tally = w.stepping.fields[t.name], names.index(f"{INT16}{boundary}")
            place = f"n / {w.samples} * {t.size} + k"
            compared = f"&tallies[{tally}], vector, {place}, beside.state.{field}[k], stream.state.{field}[k]"
            lines += [f"        for (long k = 0; status == {w.upper}_OK && k < {t.size}; k++) {{"]
            lines += [f"            compare({compared});", "        }"]
        answers = names.index(f"{INT16}{self._answer}")
        return {"states": "\n".join([*lines, ""]), "unit": 1 << UNIT, "answers": answers}
