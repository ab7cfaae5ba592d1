"""Write bench.c, which times one call of a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.writers.emit import WrittenModel
from microstage_cbackend.writers.features import FeaturesApi
from microstage_cbackend.writers.names import unique

__all__ = ["bench"]

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
    given, got = _arrays("in", ((t.name, t) for t in inputs)), _arrays("out", outputs)
    function = f"{name}_infer" if ends else f"{name}_{part.name}"
    timed = {name: (f"(void){function}(&ctx, {', '.join([*given, *got])})", got)}
    arrays = [f"static {t.ctype} {n}[{t.size}];" for n, t in [*given.items(), *got.items()]]
    fills = [_fill(n, t.size, t.ctype, t.low, t.high) for n, t in given.items()]
    what = "an inference" if ends else f"a call of {part.name}"
    if sound:
        samples, (features,) = sound.features.samples, given
        arrays.append(f"static int16_t pcm[{samples}];")
        fills.append(_fill("pcm", samples, "int16_t", -8192, 8191))
        timed[f"{name}_features of {samples} samples"] = (f"(void){name}_features(&ctx, pcm, {features})", given)
        what += ", and features of sound"
    return _BENCH.format(
        what=what,
        name=name,
        header=f"{name}{'_features' if sound else ''}.h",
        arrays="\n".join(arrays),
        functions="".join(_timed(n, call, answer) for n, (call, answer) in enumerate(timed.values())),
        fills="\n".join(fills),
        measures="\n".join(f'    measure("{what}", call_{n}, sum_of_call_{n});' for n, what in enumerate(timed)),
    )


def _arrays(kind: str, tensors: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Return {array: tensor} of named tensors."""
    named = [*tensors]
    return {f"{kind}_{own}": t for own, (_, t) in zip(unique(n for n, _ in named), named)}


def _fill(name: str, size: int, ctype: str, low: int, high: int) -> str:
    """Return the loop that fills an array with numbers from low to high."""
    return f"    for (int i = 0; i < {size}; i++) {{\n        {name}[i] = ({ctype})draw({low}, {high});\n    }}"


def _timed(number: int, call: str, answer: Mapping[str, Tensor]) -> str:
    """Return the functions that make a `call`, and sum its `answer`."""
    sums = "\n".join(_sum(*array) for array in answer.items())
    return _TIMED.format(timed=f"call_{number}", call=call, sums=sums)


def _sum(name: str, tensor: Tensor) -> str:
    return f"    for (int i = 0; i < {tensor.size}; i++) {{\n        checksum += {name}[i];\n    }}"
