"""Write what makes a folder of C a product beside its build files: a benchmark, a README."""

from __future__ import annotations

from microstage.untrusted.printable import in_markdown
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.writers.emit import WrittenModel
from microstage_cbackend.writers.features import FeaturesApi
from microstage_cbackend.writers.names import quoted, unique
from microstage_cbackend.writers.quantising import shown
from microstage_cbackend.writers.real_api import RealApi

__all__ = ["bench", "readme"]


_BENCH = """/* Times {what}: rounds of calls on pseudo-random inputs; prints nanoseconds per call and a checksum of \
the answers. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "{header}"

enum {{ ROUNDS = 25 }};

static {name}_arena arena;
static const {name}_ctx ctx = {{ &arena }};
{arrays}

static uint32_t seed = 1;

/* The next of a sequence of numbers from low to high. */
static int32_t draw(int64_t low, int64_t high)
{{
    seed = seed * 1664525u + 1013904223u;
    return (int32_t)(low + (int64_t)((uint64_t)(seed >> 8) * (uint64_t)(high - low + 1) >> 24));
}}
{functions}
static double run(void (*once)(void), long calls)
{{
    const clock_t start = clock();
    for (long n = 0; n < calls; n++) {{
        once();
    }}
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}}

static int rising(const void *a, const void *b)
{{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}}

static void measure(const char *what, void (*once)(void), int64_t (*sum)(void))
{{
    double times[ROUNDS];
    long calls = 1;

    while (run(once, calls) < 0.01 && calls < 1L << 30) {{
        calls *= 2;
    }}
    for (int round = 0; round < ROUNDS; round++) {{
        times[round] = 1e9 * run(once, calls) / (double)calls;
    }}
    qsort(times, ROUNDS, sizeof times[0], rising);
    printf("%s: median %.0f ns, best %.0f, worst %.0f, %d rounds of %ld calls, checksum %lld\\n",
           what, times[ROUNDS / 2], times[0], times[ROUNDS - 1], ROUNDS, calls, (long long)sum());
}}

int main(void)
{{
{fills}
{measures}
    return 0;
}}
"""

_TIMED = """
static void {timed}(void)
{{
    {call};
}}

static int64_t sum_of_{timed}(void)
{{
    int64_t checksum = 0;
{sums}
    return checksum;
}}
"""


def bench(program: WrittenModel, sound: FeaturesApi | None) -> str:
    """Return the text of bench.c.

    It times the whole network, or a step of the first part where there is no whole; then features of sound, where the
    network hears.
    """
    name, ends, part = program.model.name, program.model.ends, program.model.parts[0]
    inputs, outputs = ends or (part.inputs, list(zip(part.output_names, part.outputs)))
    given = [(f"in_{own}", t) for own, t in zip(unique(t.name for t in inputs), inputs)]
    got = [(f"out_{own}", t) for own, (_, t) in zip(unique(n for n, _ in outputs), outputs)]
    function = f"{name}_infer" if ends else f"{name}_{part.name}"
    timed = {name: (f"(void){function}(&ctx, {', '.join(n for n, _ in [*given, *got])})", got)}
    arrays = [f"static {t.ctype} {n}[{t.size}];" for n, t in [*given, *got]]
    fills = "\n".join(
        f"    for (int i = 0; i < {t.size}; i++) {{\n        {n}[i] = ({t.ctype})draw({t.low}, {t.high});\n    }}"
        for n, t in given
    )
    if sound:
        samples, (features,) = sound.features.samples, given
        arrays.append(f"static int16_t pcm[{samples}];")
        fills += f"\n    for (int i = 0; i < {samples}; i++) {{\n        pcm[i] = (int16_t)draw(-8192, 8191);\n    }}"
        timed[f"{name}_features of {samples} samples"] = (f"(void){name}_features(&ctx, pcm, {features[0]})", given)
    functions = "".join(
        _TIMED.format(timed=f"call_{n}", call=call, sums="\n".join(_sum(*array) for array in arrays_))
        for n, (call, arrays_) in enumerate(timed.values())
    )
    measures = "\n".join(f'    measure("{what}", call_{n}, sum_of_call_{n});' for n, what in enumerate(timed))
    what = ("an inference" if ends else f"a call of {part.name}") + (", and features of sound" if sound else "")
    header = f"{name}{'_features' if sound else ''}.h"
    return _BENCH.format(
        what=what,
        name=name,
        header=header,
        arrays="\n".join(arrays),
        functions=functions,
        fills=fills,
        measures=measures,
    )


def _sum(name: str, tensor: Tensor) -> str:
    return f"    for (int i = 0; i < {tensor.size}; i++) {{\n        checksum += {name}[i];\n    }}"


def readme(program: WrittenModel, real: RealApi, sound: FeaturesApi | None, vectors: int) -> str:
    """Return README.md of the written folder: functions, integers, scales, units, memory."""
    name, upper, api = program.model.name, program.model.name.upper(), program.api
    lines = [
        f"# {name}",
        "",
        "A quantised neural network in C99: integers alone, no dependencies, no allocation, no written globals.",
        "",
    ]
    if program.model.missing:
        lines += [
            "**Not the whole network.** It was cut short; these operators, and what follows them, are not computed "
            "here:",
            "",
        ]
        lines += [*(f"- {in_markdown(found)}" for found in program.model.missing), ""]
    lines += [
        "```c",
        f'#include "{name}.h"',
        "",
        f"static {name}_arena arena;                 /* {program.arena_bytes} bytes, one per thread */",
    ]
    lines += [f"const {name}_ctx ctx = {{ &arena }};", "```", "", "## Functions", "", "```c"]
    lines += [f"{w.signature()};" for w in program.writers] + api.declarations()
    for header, functions in real.prototypes().items():
        lines += ["", f"/* {header} */", *(f"{text};" for text in functions)]
    if sound:
        lines += ["", f"/* {name}_features.h */", *(f"{text};" for text in sound.prototypes().values())]
    lines += [
        "```",
        "",
        f"Each returns `{upper}_OK`, `{upper}_NULL` (a pointer is null) or `{upper}_OUT_OF_RANGE` (an input is "
        "outside its",
    ]
    lines += [
        "range, on which the proofs rest). Arrays are dense and must not overlap.",
        *real.reach(),
        "",
        "## Integers",
        "",
    ]
    lines += ["value = scale x (integer - zero point) + offset", ""]
    if program.model.interface.get("rounding") == "tflite":
        lines += [
            "What is between them is rounded as TensorFlow Lite Micro's reference kernels do: every tensor is theirs, "
            "to the bit.",
            "",
        ]
    lines += [
        "| tensor | shape | type | range | scale | zero point | offset | unit |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for part in program.model.parts:
        facts = program.model.facts(part)
        for n, t in [*((t.name, t) for t in part.inputs), *zip(part.output_names, part.outputs)]:
            known = facts.get(n, {})
            cells = [f"{part.name}.{quoted(n)}", list(t.shape), t.ctype, f"{t.low}..{t.high}"]
            scale, offset = (shown(known.get(fact) or 0, t.shape) for fact in ("scale", "offset"))
            cells += [
                scale if "scale" in known else "",
                known.get("zero_point", 0),
                offset,
                in_markdown(known.get("unit", "")),
            ]
            lines.append("| " + " | ".join(str(c) for c in cells) + " |")
    lines += real.entering()
    lines += real.ranked()
    lines += sound.readme() if sound else []
    lines += ["", "## Memory", "", f"Constants: {program.constant_bytes} bytes."]
    lines += [f"Arena: {program.arena_bytes} bytes; the busiest layer alone needs {program.arena_bound}."]
    lines += ["", "## Checking and timing", ""]
    lines += [
        f"`make check` replays {vectors} golden vectors through every part; `make bench` times a call. With CMake: "
        "`ctest`."
    ]
    if program.headers:
        lines += [
            f"`make check DISPATCH=1` (CMake: `-D{upper}_DISPATCH=ON`) compiles `host/`, where the processor is asked "
            "once, before"
        ]
        lines += [
            "`main`, for the instructions that it has: x86-64, gcc or clang. Constants are then there once per "
            "instruction set."
        ]
    lines += [
        *_firmware(program),
        "",
        "Right shifts of negative integers keep the sign, as in every compiler in use, and int has",
    ]
    lines += ["32 bits, which AVR's has not: the C refuses to compile where that is not so.", ""]
    return "\n".join(lines)


_FIRMWARE = """
## In a firmware

This folder, named `{name}`, is a library for each of these; `make library TO=folder` copies what a firmware needs of \
it, as packers do:
neither golden vectors nor `test/`, `examples/board`, and `host/`, the vector kernels of large processors. All symbols \
begin with
`{name}_`: networks of other names, of other versions too, link beside it.

| build system | what to do |
|---|---|
| CMake | `add_subdirectory({name})`, then `target_link_libraries(firmware {name})`; or install it, and \
`find_package({name})` and `{name}::{name}` |
| Zephyr | `-DZEPHYR_EXTRA_MODULES=/path/to/{name}` and `CONFIG_{upper}_NETWORK=y` |
| ESP-IDF | `components/{name}`; `compote component pack --name {name}` makes an archive |
| PlatformIO | `lib/{name}`; `pio pkg pack` makes an archive |
| Arduino | `libraries/{name}`, from `make library TO=libraries` |
| any other | compile the .c files beside this page, not those in folders; `#include "{name}.h"` |

{tried}
"""
_TRIED = """`examples/board` is a whole program for a NUCLEO-F446RE: `make -C examples/board` builds it, `make -C \
examples/board run` runs the same
program under qemu, `make -C examples/board flash` puts it on the board. It prints answers of golden vectors and the \
core's cycles.

"""
_UNTRIED = """CMake, gcc for Cortex-M and qemu have built and run such folders, and PlatformIO's and Espressif's \
packers have packed them. The
SDKs of Zephyr, ESP-IDF, PlatformIO and Arduino have not built them, and no board has run them: \
those files follow the documentation."""


def _firmware(program: WrittenModel) -> list[str]:
    """Say how others' build systems take the folder, and what nobody has tried."""
    name, ends = program.model.name, program.api.infer
    text = _FIRMWARE.format(name=name, upper=name.upper(), tried=(_TRIED if ends else "") + _UNTRIED)
    return text.rstrip().split("\n")
