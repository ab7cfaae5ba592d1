"""Write the part of selftest.c for networks whose parts all run at every step: whole records, in integers."""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.vectors.plan import Plan
from microstage_cbackend.writers.names import unique
from microstage_cbackend.writers.selftest_parts import WHOLE
from microstage_cbackend.writers.selftest_samples import SamplesTest
from microstage_cbackend.writers.stream_api import StreamApi

__all__ = ["RECORD", "StepsTest"]

RECORD = "record."
"Prefix of a boundary that is checked over a whole record."

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


class StepsTest:
    """Hold `headers`, `tallies` (the boundaries that are counted) and `calls` (C, once per vector)."""

    after = ""

    def __init__(self, plan: Plan, real: StreamApi) -> None:
        self.plan, self.name, self.recurrent = plan, real.stepping.name, real.stepping.recurrent
        self.outputs = dict(self.recurrent.outputs)
        self._samples = SamplesTest(plan, real.waveform, real.int16) if real.waveform else None
        self.headers = [f"{self.name}{kind}.h" for kind in real.kinds or [""]]
        self.tallies = [f"{kind}{n}" for kind in (RECORD, WHOLE) for n in self.outputs]
        self.tallies += self._samples.tallies if self._samples else []
        self.calls = ["test_record(vector)", "test_whole(vector)", *(self._samples.calls if self._samples else [])]

    def text(self, names: list[str], arrays: Mapping[str, str]) -> str:
        """Return the functions of `calls`; `names`: all tallies in order; `arrays`: {boundary: its array}."""
        return self._steps(names, arrays) + (self._samples.text(names, arrays) if self._samples else "")

    def _steps(self, names: list[str], arrays: Mapping[str, str]) -> str:
        """Return the functions that run every step of a record, and one answer."""
        c, taken = self.recurrent, [t.name for t in self.recurrent.step_inputs]
        own = dict(zip([*taken, *self.outputs], unique(f"value_{n}" for n in [*taken, *self.outputs])))
        exponents = [f"(int32_t){arrays[c.exponent.name]}[step]"] if c.exponent else []
        given = [*(own[n] for n in taken), *exponents, *(own[n] for n in self.outputs)]
        whole = {t.name: f"whole_{n}" for n, t in enumerate(c.inputs)}
        results = [f"    {t.ctype} {own[n]}[{t.size}];" for n, t in self.outputs.items()]
        each, last = [], []
        for n, t in self.outputs.items():
            each += _compared(names.index(RECORD + n), t, f"step * {t.size}", arrays[n], own[n], "        ")
            last += _compared(names.index(WHOLE + n), t, f"{(c.steps - 1) * t.size}", arrays[n], own[n], "    ")
        return _STEPS.format(
            model=self.name,
            upper=self.name.upper(),
            length=self.plan.length,
            steps=c.steps,
            arguments=", ".join(["&ctx", "&state", *given]),
            arrays="\n".join([*(f"    {t.ctype} {own[t.name]}[{t.size}];" for t in c.step_inputs), *results]),
            fills="\n".join(
                f"        COPY({t.ctype}, {own[t.name]}, {arrays[t.name]} + step * {t.size}, {t.size});"
                for t in c.step_inputs
            ),
            compares="\n".join(each),
            whole_compares="\n".join(last),
            whole_arrays="\n".join([*(f"    {t.ctype} {whole[t.name]}[{t.size}];" for t in c.inputs), *results]),
            whole_fills="\n".join(
                f"    COPY({t.ctype}, {whole[t.name]}, {arrays[t.name]}, {t.size});" for t in c.inputs
            ),
            whole_arguments=", ".join(["&ctx", *whole.values(), *(own[n] for n in self.outputs)]),
        )


def _compared(tally: int, t: Tensor, start: str, expected: str, found: str, indent: str) -> list[str]:
    """Return lines that compare the integers of `t` with those from `start` on of the array `expected`."""
    compared = f"&tallies[{tally}], vector, {start} + n, {expected}[{start} + n], {found}[n]"
    return [
        f"{indent}for (long n = 0; n < {t.size}; n++) {{",
        f"{indent}    compare({compared});",
        f"{indent}}}",
    ]
