"""Write a program for one board, which runs under an emulator too.

It infers a few golden vectors, of a network that hears a recorded sound too, and prints answers and cycles.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.vectors.plan import Plan
from microstage_cbackend.writers.constants import rows
from microstage_cbackend.writers.emit import WrittenModel
from microstage_cbackend.writers.features import FeaturesApi
from microstage_cbackend.writers.infer_api import InferApi
from microstage_cbackend.writers.names import quoted

__all__ = ["board"]

_FOLDER = "examples/board"
_FIXED = Path(__file__).parents[1] / "board"
_VECTORS, _BYTES = 4, 32768
"At most so many vectors, and of all but the first no more than so many bytes of flash."
_SHOWN = 8

_MAIN = """/* {name} on a board: each vector of golden.h is inferred, its answer compared and printed, and the cycles \
that it took.
 *
 * Ends with `all equal` where every integer is the reference's.
 */
#include "{header}"

#include "board.h"
#include "golden.h"

static {name}_arena arena;
static const {name}_ctx ctx = {{ &arena }};
{outputs}

/* Prints the first integers of an answer; the number of those that differ. */
#define ANSWER(found, expected, different) do {{ \\
    for (int i = 0; i < (int)(sizeof found / sizeof found[0]); i++) {{ \\
        different += found[i] != expected[i]; \\
        if (i < {shown}) {{ \\
            say(" "); \\
            say_number(found[i]); \\
        }} \\
    }} \\
}} while (0)

int main(void)
{{
    int32_t wrong = 0;

    say("{name}: " {arena} " bytes of arena\\r\\n");
    for (int vector = 0; vector < VECTORS; vector++) {{
        int32_t different = 0;
        const uint32_t began = cycles();
        const {name}_status status = {call};
        const uint32_t taken = cycles() - began;

        say("vector ");
        say_number(vector);
        say(counts_cycles() ? ": cycles " : ": no cycle counter, SysTick ");
        say_number(taken);
        say(", answer");
{answers}
        say(status == {upper}_OK && !different ? ", equal\\r\\n" : ", WRONG\\r\\n");
        wrong += status != {upper}_OK || different;
    }}
{sound}    say(wrong ? "FAILED\\r\\n" : "all equal\\r\\n");
    return wrong != 0;
}}
"""

_SOUND = """
    const uint32_t began = cycles();
    const {name}_status status = {name}_infer_sound(&ctx, sound, {given});
    const uint32_t taken = cycles() - began;
    int32_t different = 0;

    say(counts_cycles() ? "sound of {samples} samples: cycles " : "sound of {samples} samples: no cycle counter, \
SysTick ");
    say_number(taken);
    say(", answer");
{answers}
{heard}    say(status == {upper}_OK && !different ? ", equal\\r\\n" : ", WRONG\\r\\n");
    wrong += status != {upper}_OK || different;
"""


def board(program: WrittenModel, plan: Plan, sound: FeaturesApi | None, sources: list[str]) -> dict[str, str]:
    """Return path -> text; nothing where the parts make no whole."""
    infer = program.api.infer
    if infer is None:
        return {}
    put = {"@NAME@": program.model.name, "@SOURCES@": " ".join(f"../../{source}" for source in sources)}
    files = {path.name: path.read_text() for path in sorted(_FIXED.iterdir())}
    for mark, text in put.items():
        files["Makefile"] = files["Makefile"].replace(mark, text)
    files |= {"main.c": _main(infer, program.machines[-1].arena_bytes, plan, sound), "golden.h": _golden(infer, plan)}
    return {f"{_FOLDER}/{name}": text for name, text in files.items()}


def _main(infer: InferApi, arena_bytes: int, plan: Plan, sound: FeaturesApi | None) -> str:
    name, inputs, outputs = infer.network, infer.inputs, infer.outputs
    given = [*(f"input_{n}[vector]" for n in range(len(inputs))), *(f"found_{n}" for n in range(len(outputs)))]
    answers = [f"        ANSWER(found_{n}, output_{n}[vector], different);" for n in range(len(outputs))]
    return _MAIN.format(
        name=name, upper=name.upper(), shown=_SHOWN, arena=f'"{arena_bytes}"', answers="\n".join(answers),
        outputs="\n".join(f"static {t.ctype} found_{n}[{t.size}];" for n, (_, t) in enumerate(outputs)),
        call=f"{name}_infer(&ctx, {', '.join(given)})", sound=_sound(plan, sound),
        header=f"{name}{'_features' * (plan.sounds is not None)}.h",
    )  # fmt: skip


def _sound(plan: Plan, sound: FeaturesApi | None) -> str:
    """Return the lines that infer a sound; nothing of a network that hears none."""
    if plan.sounds is None or sound is None:
        return ""
    found = [f"found_{n}" for n in range(len(sound.outputs))]
    heard = f'    say(": ");\n    say({sound.name}_classes[{sound.name}_class({found[0]})]);\n' if sound.classes else ""
    answers = [f"    ANSWER({own}, sound_{own}, different);" for own in found]
    return _SOUND.format(
        name=sound.name, upper=sound.upper, samples=sound.features.samples, given=", ".join(found), heard=heard,
        answers="\n".join(answers),
    )  # fmt: skip


def _golden(infer: InferApi, plan: Plan) -> str:
    """Return golden.h: vectors and, where there are sounds, the last of them."""
    inputs, outputs = infer.inputs, infer.outputs
    ends = [
        *(("input", n, t.name, t) for n, t in enumerate(inputs)),
        *(("output", n, name, t) for n, (name, t) in enumerate(outputs)),
    ]
    each = sum(t.bytes for *_, t in ends)
    count = max(1, min(_VECTORS, plan.vectors, _BYTES // each))
    lines = [
        "/* Golden vectors: what goes in, and what the reference answers. */",
        "#include <stdint.h>",
        "",
        f"enum {{ VECTORS = {count} }};",
    ]
    for side, n, name, t in ends:
        lines += _array(f"{side}_{n}", name, t, plan.at_ends(name, t.size, side == "output")[:count])
    if plan.sounds is not None:
        lines += ["", f"static const int16_t sound[{plan.sounds.pcm.shape[1]}] = {{", *rows(plan.sounds.pcm[-1]), "};"]
        for n, (name, t) in enumerate(outputs):
            lines += [
                f"static const {t.ctype} sound_found_{n}[{t.size}] = {{",
                *rows(plan.sounds.outputs[name][-1]),
                "};",
            ]
    return "\n".join([*lines, ""])


def _array(variable: str, name: str, t: Tensor, values: np.ndarray) -> list[str]:
    start = f"static const {t.ctype} {variable}[VECTORS][{t.size}] = {{ /* {quoted(name)} */"
    return ["", start, *(line for row in values for line in ["    {", *rows(row), "    },"]), "};"]
