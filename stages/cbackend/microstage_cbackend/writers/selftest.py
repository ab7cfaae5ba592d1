"""Writes selftest.c, which replays golden.bin through each part and through the whole network.

It prints one line per boundary, `equal BOUNDARY COMPARED EQUAL`, and for the first difference of each
`differs BOUNDARY VECTOR INDEX EXPECTED FOUND`; it exits 0 when all are equal, 1 when not, 2 when it cannot run.
Where there are float functions, they are called with the real vectors; writers/selftest_float.py says what is equal
there. Of a network whose parts run at every step, whole records are run (writers/selftest_steps.py).
Where there are sounds (writers/selftest_sound.py), they are heard last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.model import Model, SteppedModel
from microstage_cbackend.vectors.plan import Check, Plan
from microstage_cbackend.writers import selftest_float, selftest_sound
from microstage_cbackend.writers.features import FeaturesApi
from microstage_cbackend.writers.float_api import FloatApi
from microstage_cbackend.writers.names import unique
from microstage_cbackend.writers.selftest_steps import INT16, RECORD, StepsTest
from microstage_cbackend.writers.stream_api import StreamApi

__all__ = ["KINDS", "selftest"]

WHOLE = "whole."
"Prefix of a boundary that is checked through the whole network rather than through one part."
STREAM = "stream."
"Prefix of a state that is checked behind calls of several steps each."
KINDS = ("", WHOLE, selftest_sound.SOUND, STREAM, RECORD, INT16, selftest_float.REFUSED)
"All prefixes that the name of a boundary may have."

_HEAD = """/* Self test of {model}: every golden vector, every output, every state. Run it beside golden.bin, or give \
its path
 * and, for fewer, how many vectors.
 *
 * golden.bin: vector after vector, little-endian two's complement; per vector {layout}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

{includes}

#define COPY(to, from, count) do {{ for (long n = 0; n < (count); n++) (to)[n] = (from)[n]; }} while (0)

typedef struct {{ const char *boundary; long compared, equal; }} tally;

static {model}_arena arena;
static const {model}_ctx ctx = {{ &arena }};
{tallies}
{arrays}

/* Reads count values of `bytes` bytes each; 0 at the end of the file. */
static int read_values(FILE *file, int bytes, long count, int64_t *values)
{{
    for (long n = 0; n < count; n++) {{
        uint64_t bits = 0;
        int byte = 0;
        for (int b = 0; b < bytes; b++) {{
            byte = fgetc(file);
            if (byte == EOF) {{
                return 0;
            }}
            bits |= (uint64_t)byte << (8 * b);
        }}
        if (byte >= 128 && bytes < 8) {{
            bits |= ~(uint64_t)0 << (8 * bytes);
        }}
        values[n] = bits >> 63 ? -(int64_t)(~bits) - 1 : (int64_t)bits;
    }}
    return 1;
}}

/* Counts equal values and prints the first that differs. */
static void compare(tally *t, long vector, long index, int64_t expected, int64_t found)
{{
    if (expected == found) {{
        t->equal++;
    }} else if (t->compared == t->equal) {{
        printf("differs %s %ld %ld %lld %lld\\n", t->boundary, vector, index, (long long)expected, (long long)found);
    }}
    t->compared++;
}}
"""

_MAIN = """
int main(int argc, char **argv)
{{
    const long asked = argc > 2 ? atol(argv[2]) : {vectors}, vectors = asked < {vectors} ? asked : {vectors};
    FILE *file = fopen(argc > 1 ? argv[1] : "golden.bin", "rb");
    if (!file) {{
        fprintf(stderr, "selftest: cannot open golden.bin; give its path as the first argument\\n");
        return 2;
    }}
    for (long vector = 0; vector < vectors; vector++) {{
        if ({reads}) {{
            fprintf(stderr, "selftest: golden.bin ends before vector %ld of {vectors}\\n", vector);
            return 2;
        }}
        if ({calls}) {{
            fprintf(stderr, "selftest: a part refused vector %ld\\n", vector);
            return 2;
        }}
    }}
{sound}    fclose(file);
{after}
    int failed = 0;
    for (size_t n = 0; n < sizeof tallies / sizeof tallies[0]; n++) {{
        printf("equal %s %ld %ld\\n", tallies[n].boundary, tallies[n].compared, tallies[n].equal);
        failed |= tallies[n].compared == 0 || tallies[n].equal != tallies[n].compared;
    }}
    return failed;
}}
"""


def selftest(model: Model, plan: Plan, real: FloatApi | StreamApi, sound: FeaturesApi) -> str:
    """The text of selftest.c."""
    whole = (
        StepsTest(model, plan, real) if isinstance(model.recurrent, SteppedModel) else _Whole(model, plan, real, sound)
    )
    names = [boundary for check in plan.checks for boundary in check.expects.values()] + whole.tallies
    sizes, widths = plan.sizes(), plan.widths()
    layout = ", ".join(
        f"{plan.labels[n]} ({sizes[n]} of {widths[n]} byte{'s' * (widths[n] > 1)})" for n in plan.boundaries
    )
    tallies = "static tally tallies[] = {" + ", ".join(f'{{"{_label(plan, n)}", 0, 0}}' for n in names) + "};"
    arrays = "\n".join(f"static int64_t {plan.arrays[n]}[{sizes[n]}];" for n in plan.boundaries)
    includes = "\n".join(f'#include "{header}"' for header in whole.headers)
    text = _HEAD.format(model=model.name, layout=layout, tallies=tallies, arrays=arrays, includes=includes)
    text += "".join(_part(model, check, names, plan.arrays) for check in plan.checks) + whole.text(names, plan.arrays)
    calls = [*(f"test_{check.part.name}(vector)" for check in plan.checks), *whole.calls]
    reads = "\n            || ".join(
        f"!read_values(file, {widths[n]}, {sizes[n]}, {plan.arrays[n]})" for n in plan.boundaries
    )
    return text + _MAIN.format(
        vectors=plan.vectors, reads=reads, calls=" || ".join(calls), after=whole.after, sound=selftest_sound.call(plan)
    )


class _Whole:
    """What is called beside each part: the whole network, streams of its cell, real numbers, sounds."""

    def __init__(self, model: Model, plan: Plan, real: FloatApi, sound: FeaturesApi) -> None:
        self.model, self.plan, self.real, self.sound = model, plan, real, sound
        self.streams = [check for check in plan.checks if check.part.states]
        self.whole = model.recurrent is not None and model.recurrent.head is not None

    @property
    def headers(self) -> list[str]:
        return [
            f"{self.model.name}{'_float' * self.real.possible}.h",
            *([f"{self.model.name}_features.h"] if self.plan.sounds else []),
        ]

    @property
    def tallies(self) -> list[str]:
        """The boundaries that are counted."""
        names = [f"{STREAM}{check.expects[new]}" for check in self.streams for _, new in check.part.states]
        names += [f"{WHOLE}{name}" for name, _ in self.model.recurrent.outputs] if self.whole else []
        return names + selftest_float.tallies(self.real) + selftest_sound.tallies(self.sound, self.plan)

    @property
    def calls(self) -> list[str]:
        """C, once per vector."""
        calls = [f"stream_{check.part.name}(vector)" for check in self.streams]
        return calls + ["test_whole(vector)"] * self.whole + ["test_float(vector)"] * self.real.possible

    @property
    def after(self) -> str:
        """C behind the last vector."""
        return "    refuse_float(vectors - 1);\n" if self.real.possible else ""

    def text(self, names: list[str], arrays: Mapping[str, str]) -> str:
        """The functions of `calls`."""
        writers = self.real.api.writers
        text = "".join(
            _stream(self.model, check, names, writers[check.part.name].name, arrays) for check in self.streams
        )
        text += _whole(self.model, names, arrays) if self.whole else ""
        text += selftest_float.test(self.real, names, arrays) if self.real.possible else ""
        return text + selftest_sound.test(self.sound, self.plan, names)


def _label(plan: Plan, tally: str) -> str:
    """What is printed for a tally: its prefix, and the boundary's label."""
    kind = next(kind for kind in KINDS if tally.startswith(kind) and tally.removeprefix(kind) in plan.labels)
    return kind + plan.labels[tally.removeprefix(kind)]


def _prefixed(kind: str, names: Iterable[str]) -> dict[str, str]:
    """{name of a tensor: variable}."""
    given = [*names]
    return {name: f"{kind}_{own}" for name, own in zip(given, unique(given))}


def _part(model: Model, check: Check, names: list[str], arrays: Mapping[str, str]) -> str:
    part, states = check.part, dict(check.part.states)
    fed = _prefixed("in", (t.name for t in part.inputs))
    got = _prefixed("out", part.output_names)
    what = f"{check.steps} steps from zero states, which are carried" if states else "one call"
    lines = [f"\n/* {part.name}: {what}. Returns its status. */", f"static int test_{part.name}(long vector)", "{"]
    lines += [f"    {t.ctype} {fed[t.name]}[{t.size}]{' = {0}' if t.name in states else ''};" for t in part.inputs]
    lines += [f"    {t.ctype} {got[n]}[{t.size}];" for n, t in zip(part.output_names, part.outputs)]
    lines += ["", f"    for (long step = 0; step < {check.steps}; step++) {{"]
    for t in part.inputs:
        if t.name in check.feeds:
            boundary, offset = check.feeds[t.name]
            start = " + ".join([arrays[boundary], *([str(offset)] if offset else []), f"step * {t.size}"])
            lines.append(f"        COPY({fed[t.name]}, {start}, {t.size});")
    call = f"{model.name}_{part.name}(&ctx, {', '.join([*fed.values(), *got.values()])})"
    lines += [f"        {model.name}_status status = {call};", f"        if (status != {model.name.upper()}_OK) {{"]
    lines += ["            return (int)status;", "        }"]
    for (name, boundary), t in zip(check.expects.items(), part.outputs):
        lines += _compare(f"step * {t.size}", t.size, names.index(boundary), arrays[boundary], got[name], "        ")
    lines += [
        f"        COPY({fed[old]}, {got[new]}, {t.size});"
        for t in part.inputs
        for old, new in states.items()
        if old == t.name
    ]
    return "\n".join([*lines, "    }", "    return 0;", "}", ""])


def _stream(
    model: Model, check: Check, names: list[str], called: Callable[[Tensor], str], arrays: Mapping[str, str]
) -> str:
    part, states = check.part, dict(check.part.states)
    prefix, inputs = f"{model.name}_{part.name}", [t for t in check.part.inputs if t.name in check.feeds]
    outputs = [(n, t) for n, t in zip(part.output_names, part.outputs) if n not in states.values()]
    fed = [*_prefixed("in", (t.name for t in inputs)).values()]
    got = [*_prefixed("out", (n for n, _ in outputs)).values()]
    what = f"the same {check.steps} steps in calls of 1, 2, 3 and so on, which carry its state"
    lines = [f"\n/* {part.name}: {what}. Returns its status. */", f"static int stream_{part.name}(long vector)", "{"]
    lines += [f"    static {t.ctype} {name}[{check.steps * t.size}];" for name, t in zip(fed, inputs)]
    lines += [f"    static {t.ctype} {name}[{check.steps * t.size}];" for name, (_, t) in zip(got, outputs)]
    lines += [f"    {prefix}_state state;", "", f"    {prefix}_reset(&state);"]
    lines += [
        f"    COPY({name}, {arrays[check.feeds[t.name][0]]}, {check.steps * t.size});" for name, t in zip(fed, inputs)
    ]
    lines += [f"    for (long step = 0, call = 1, count; step < {check.steps}; step += count, call++) {{"]
    lines += [f"        count = call < {check.steps} - step ? call : {check.steps} - step;"]
    given = [
        f"{name} + step * {t.size}"
        for name, t in [*zip(fed, inputs), *((name, t) for name, (_, t) in zip(got, outputs))]
    ]
    lines += [f"        {model.name}_status status = {prefix}_steps(&ctx, &state, {', '.join(given)}, (int32_t)count);"]
    lines += [f"        if (status != {model.name.upper()}_OK) {{", "            return (int)status;", "        }"]
    for t in part.inputs:
        if t.name in states:
            tally = names.index(f"{STREAM}{check.expects[states[t.name]]}")
            boundary = check.expects[states[t.name]]
            lines += _compare(
                f"(step + count - 1) * {t.size}", t.size, tally, arrays[boundary], f"state.{called(t)}", "        "
            )
    return "\n".join([*lines, "    }", "    return 0;", "}", ""])


def _whole(model: Model, names: list[str], arrays: Mapping[str, str]) -> str:
    fed, got = (
        _prefixed("in", (t.name for t in model.recurrent.inputs)),
        _prefixed("out", (n for n, _ in model.recurrent.outputs)),
    )
    inputs, outputs = [(fed[t.name], t) for t in model.recurrent.inputs], model.recurrent.outputs
    lines = [
        "\n/* The whole network, input to answer. Returns its status. */",
        "static int test_whole(long vector)",
        "{",
    ]
    lines += [f"    {t.ctype} {name}[{t.size}];" for name, t in inputs]
    lines += [f"    {t.ctype} {got[n]}[{t.size}];" for n, t in outputs] + [""]
    lines += [f"    COPY({name}, {arrays[t.name]}, {t.size});" for name, t in inputs]
    arguments = ", ".join([*(name for name, _ in inputs), *got.values()])
    lines += [f"    {model.name}_status status = {model.name}_infer(&ctx, {arguments});"]
    lines += [f"    if (status != {model.name.upper()}_OK) {{", "        return (int)status;", "    }"]
    for n, t in outputs:
        lines += _compare("0", t.size, names.index(f"{WHOLE}{n}"), arrays[n], got[n], "    ")
    return "\n".join([*lines, "    return 0;", "}", ""])


def _compare(start: str, size: int, tally: int, expected: str, found: str, indent: str) -> list[str]:
    place = f"{start} + n" if start != "0" else "n"
    return [
        f"{indent}for (long n = 0; n < {size}; n++) {{",
        f"{indent}    compare(&tallies[{tally}], vector, {place}, {expected}[{place}], {found}[n]);",
        f"{indent}}}",
    ]
