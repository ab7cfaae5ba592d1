"""What makes a folder of C a product: build files for make, CMake, Arduino and PlatformIO, a benchmark, a README."""

from __future__ import annotations

import json

from microstage_cbackend.build import FLAGS
from microstage_cbackend.writers.emit import Program
from microstage_cbackend.writers.float_api import FloatApi
from microstage_cbackend.writers.names import quoted, unique

__all__ = ["cmake", "makefile", "bench", "arduino", "readme"]


def makefile(name: str, sources: list[str], chosen: list[str]) -> str:
    """Makefile of the written folder: `make check` runs the self test, `make bench` times an inference.

    `chosen` sources take the place of the model's own with DISPATCH=1.
    """
    objects = " ".join(s.removesuffix(".c") + ".o" for s in sources)
    choice = [
        "# make DISPATCH=1: instructions are chosen at run time (x86-64, gcc or clang)",
        "ifdef DISPATCH",
        f"OBJECTS := $(filter-out {name}.o {name}_weights.o,$(OBJECTS)) {' '.join(s.removesuffix('.c') + '.o' for s in chosen)}",
        "endif",
        "",
    ]
    return "\n".join(
        [
            "# make check: compile with all warnings as errors and replay every golden vector; make bench: time an inference",
            "CC ?= cc",
            f"CFLAGS ?= {' '.join(FLAGS[1:])}",
            f"OBJECTS = {objects}",
            *(choice if chosen else []),
            "",
            f"lib{name}.a: $(OBJECTS)",
            "\trm -f $@",
            "\t$(AR) rcs $@ $^",
            "",
            "check: selftest",
            "\t./selftest golden.bin",
            "",
            "bench: timing",
            "\t./timing",
            "",
            f"selftest: selftest.o lib{name}.a",
            "\t$(CC) $(CFLAGS) -o $@ $^",
            "",
            f"timing: bench.o lib{name}.a",
            "\t$(CC) $(CFLAGS) -o $@ $^",
            "",
            "%.o: %.c $(wildcard *.h)",
            "\t$(CC) -std=c99 $(CFLAGS) -c -o $@ $<",
            "",
            "clean:",
            f"\trm -f selftest timing *.o *.a{' host/*.o' if chosen else ''}",
            "",
            ".PHONY: check bench clean",
            "",
        ]
    )


def cmake(name: str, sources: list[str], chosen: list[str]) -> str:
    """CMakeLists.txt: the library, and a test that ctest runs; `chosen` as in `makefile`."""
    own = (f"{name}.c", f"{name}_weights.c")
    choice = [
        'option(DISPATCH "choose instructions at run time: x86-64, gcc or clang" OFF)',
        "if(DISPATCH)",
        "    set(MODEL",
        *(f"        {source}" for source in chosen),
        "    )",
        "else()",
        f"    set(MODEL {' '.join(own)})",
        "endif()",
    ]
    return "\n".join(
        [
            "cmake_minimum_required(VERSION 3.10)",
            f"project({name} C)",
            "if(NOT CMAKE_BUILD_TYPE)",
            "    set(CMAKE_BUILD_TYPE Release)",
            "endif()",
            *(choice if chosen else [f"set(MODEL {' '.join(own)})"]),
            f"add_library({name} STATIC",
            "    ${MODEL}",
            *(f"    {source}" for source in sources if source not in own),
            ")",
            f"set_target_properties({name} PROPERTIES C_STANDARD 99 C_EXTENSIONS ON)",
            f"target_include_directories({name} PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})",
            "enable_testing()",
            "add_executable(selftest selftest.c)",
            f"target_link_libraries(selftest {name})",
            "add_test(NAME selftest COMMAND selftest ${CMAKE_CURRENT_SOURCE_DIR}/golden.bin)",
            "add_executable(timing bench.c)",
            f"target_link_libraries(timing {name})",
            "",
        ]
    )


_BENCH = """/* Times one {what}: rounds of calls on pseudo-random inputs; prints nanoseconds per call and a checksum of the answers. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "{name}.h"

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

static double run(long calls)
{{
    const clock_t start = clock();
    for (long n = 0; n < calls; n++) {{
        {call};
    }}
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}}

static int rising(const void *a, const void *b)
{{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}}

int main(void)
{{
    double times[ROUNDS];
    long calls = 1;
    int64_t checksum = 0;

{fills}
    while (run(calls) < 0.01 && calls < 1L << 30) {{
        calls *= 2;
    }}
    for (int round = 0; round < ROUNDS; round++) {{
        times[round] = 1e9 * run(calls) / (double)calls;
    }}
    qsort(times, ROUNDS, sizeof times[0], rising);
{sums}
    printf("{name}: median %.0f ns, best %.0f, worst %.0f, %d rounds of %ld calls, checksum %lld\\n",
           times[ROUNDS / 2], times[0], times[ROUNDS - 1], ROUNDS, calls, (long long)checksum);
    return 0;
}}
"""


def bench(program: Program) -> str:
    """The text of bench.c: the whole network, or a step of the first part where there is no whole."""
    name, ends, part = program.model.name, program.api.ends, program.model.parts[0]
    inputs, outputs = ends or (part.inputs, list(zip(part.output_names, part.outputs)))
    given = [(f"in_{own}", t) for own, t in zip(unique(t.name for t in inputs), inputs)]
    got = [(f"out_{own}", t) for own, (_, t) in zip(unique(n for n, _ in outputs), outputs)]
    arrays = "\n".join(f"static {t.ctype} {n}[{t.size}];" for n, t in [*given, *got])
    function = f"{name}_infer" if ends else f"{name}_{part.name}"
    call = f"(void){function}(&ctx, {', '.join(n for n, _ in [*given, *got])})"
    fills = "\n".join(f"    for (int i = 0; i < {t.size}; i++) {{\n        {n}[i] = ({t.ctype})draw({t.low}, {t.high});\n    }}" for n, t in given)
    sums = "\n".join(f"    for (int i = 0; i < {t.size}; i++) {{\n        checksum += {n}[i];\n    }}" for n, t in got)
    return _BENCH.format(what="inference" if ends else f"call of {part.name}", name=name, arrays=arrays, call=call, fills=fills, sums=sums)


def arduino(program: Program, library: dict[str, str]) -> dict[str, str]:
    """An Arduino and PlatformIO library in arduino/<model>: `library` under src/, an example sketch."""
    name, ends = program.model.name, program.api.ends
    root = f"arduino/{name}"
    properties = {
        "name": name, "version": "1.0.0", "author": "microstage", "maintainer": "microstage",
        "sentence": "A quantised neural network in integers.", "paragraph": "Generated C99 without dependencies.",
        "category": "Data Processing", "url": "about:blank", "architectures": "*", "includes": f"{name}.h",
    }  # fmt: skip
    facts = {"name": name, "version": "1.0.0", "description": properties["sentence"], "frameworks": "*", "platforms": "*"}
    manifest = json.dumps(facts, indent=2) + "\n"
    files = {f"{root}/src/{file}": text for file, text in library.items()}
    files[f"{root}/library.properties"] = "".join(f"{key}={value}\n" for key, value in properties.items())
    files[f"{root}/library.json"] = manifest
    if ends:
        inputs, outputs = ends
        arrays = [f"static {t.ctype} in{i}[{t.size}];" for i, t in enumerate(inputs)]
        arrays += [f"static {t.ctype} out{i}[{t.size}];" for i, (_, t) in enumerate(outputs)]
        arguments = ", ".join([*(f"in{i}" for i in range(len(inputs))), *(f"out{i}" for i in range(len(outputs)))])
        sketch = [f"#include <{name}.h>", ""]
        sketch += [f"static {name}_arena arena;", f"static const {name}_ctx ctx = {{&arena}};", *arrays]
        sketch += ["", "void setup() { Serial.begin(115200); }", "", "void loop() {"]
        sketch += [f"  if ({name}_infer(&ctx, {arguments}) == {name.upper()}_OK) Serial.println((long)out0[0]);", "  delay(1000);", "}", ""]
        files[f"{root}/examples/infer/infer.ino"] = "\n".join(sketch)
    return files


def readme(program: Program, real: FloatApi, vectors: int) -> str:
    """README.md of the written folder: functions, integers, scales, units, memory."""
    name, upper, api = program.model.name, program.model.name.upper(), program.api
    lines = [f"# {name}", "", "A quantised neural network in C99: integers alone, no dependencies, no allocation, no written globals.", ""]
    if program.model.missing:
        lines += ["**Not the whole network.** It was cut short; these operators, and what follows them, are not computed here:", ""]
        lines += [*(f"- {found}" for found in program.model.missing), ""]
    lines += ["```c", f'#include "{name}.h"', "", f"static {name}_arena arena;                 /* {program.arena_bytes} bytes, one per thread */"]
    lines += [f"const {name}_ctx ctx = {{ &arena }};", "```", "", "## Functions", "", "```c"]
    lines += [f"{w.signature()};" for w in program.writers] + api.declarations()
    if real.possible:
        lines += ["", f"/* {name}_float.h */", f"{real._infer_signature()};"]
    if real.streams:
        lines += [f"{real._push_signature()};"]
    lines += ["```", "", f"Each returns `{upper}_OK`, `{upper}_NULL` (a pointer is null) or `{upper}_OUT_OF_RANGE` (an input is outside its"]
    lines += ["range, on which the proofs rest). Arrays are dense and must not overlap.", "", "## Integers", ""]
    lines += ["value = scale x (integer - zero point) + offset", ""]
    lines += ["| tensor | shape | type | range | scale | zero point | offset | unit |", "|---|---|---|---|---|---|---|---|"]
    for part in program.model.parts:
        facts = program.model.facts(part)
        for n, t in [*((t.name, t) for t in part.inputs), *zip(part.output_names, part.outputs)]:
            known = facts.get(n, {})
            cells = [f"{part.name}.{quoted(n)}", list(t.shape), t.ctype, f"{t.low}..{t.high}"]
            cells += [known.get("scale", ""), known.get("zero_point", 0), known.get("offset") or 0, known.get("unit", "")]
            lines.append("| " + " | ".join(str(c) for c in cells) + " |")
    for n in [n for n, _ in real.outputs if real.differs(n)]:
        lines += ["", f"The values of {quoted(n)} have scales or offsets of their own: the largest integer is not the largest value. Compare"]
        lines += [f"scale x (integer - zero point) + offset{f', or what {name}_infer_float gives' if real.possible else ''}."]
    lines += ["", "## Memory", "", f"Constants: {program.constant_bytes} bytes."]
    lines += [f"Arena: {program.arena_bytes} bytes; the busiest layer alone needs {program.arena_bound}."]
    lines += ["", "## Checking and timing", ""]
    lines += [f"`make check` replays {vectors} golden vectors through every part; `make bench` times a call. With CMake: `ctest`."]
    if program.headers:
        lines += ["`make check DISPATCH=1` (CMake: `-DDISPATCH=ON`) compiles `host/`, where the processor is asked once, before `main`, for the"]
        lines += ["instructions that it has: x86-64, gcc or clang. Constants are then there once per instruction set.", ""]
    lines += ["`arduino/` holds the same library for Arduino and PlatformIO. Right shifts of negative integers keep the sign, as in every"]
    lines += ["compiler in use; the header refuses to compile where they do not.", ""]
    return "\n".join(lines)
