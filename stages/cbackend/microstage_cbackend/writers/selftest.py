"""Write selftest.c, which replays golden.bin through each part and through the whole network.

It prints one line per boundary, `equal BOUNDARY COMPARED EQUAL`, and for the first difference of each
`differs BOUNDARY VECTOR INDEX EXPECTED FOUND`; it exits 0 when all are equal, 1 when not, 2 when it cannot run.
Where there are float functions, they are called with the real vectors; selftest_float.py says what is equal there. Of a
network whose parts run at every step, whole records are run (selftest_steps.py). Sounds are heard last
(selftest_sound.py).
"""

from __future__ import annotations

from microstage_cbackend.vectors.plan import Plan
from microstage_cbackend.writers.emit import WrittenModel
from microstage_cbackend.writers.features import FeaturesApi
from microstage_cbackend.writers.real_api import RealApi
from microstage_cbackend.writers.selftest_float import REFUSED
from microstage_cbackend.writers.selftest_parts import part_test
from microstage_cbackend.writers.selftest_samples import INT16
from microstage_cbackend.writers.selftest_sound import SOUND, sound_test
from microstage_cbackend.writers.selftest_steps import RECORD, StepsTest
from microstage_cbackend.writers.selftest_whole import STREAM, WHOLE, WholeTest
from microstage_cbackend.writers.stream_api import StreamApi

__all__ = ["KINDS", "selftest"]

KINDS = ("", WHOLE, SOUND, STREAM, RECORD, INT16, REFUSED)
"All prefixes that the name of a boundary may have."

_HEAD = """/* Self test of {model}: every golden vector, every output, every state. Run it beside golden.bin, or give \
its path
 * and, for fewer, how many vectors.
 *
 * golden.bin: vector after vector, little-endian two's complement; per vector {layout}.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

{includes}

#define COPY(type, to, from, size) do {{ for (long n = 0; n < (size); n++) {{ (to)[n] = (type)(from)[n]; }} }} while (0)

typedef struct {{ const char *boundary; long compared, equal; }} tally;

/* Nothing is written beside the memory, and nothing is expected in it. */
typedef struct {{ uint64_t below[8]; {memory} memory; uint64_t above[64]; }} guard;
static guard guarded;
static const {model}_ctx ctx = {{ ({model}_arena *)&guarded.memory }};
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

/* What all memory is filled with before a vector. */
static unsigned char filling(long vector)
{{
    return (unsigned char)(0xa5 + 37 * vector);
}}

/* Tells whether what lies around the arena is as it was filled; inputs may lie behind it in every other vector. */
static int intact(long vector)
{{
    const unsigned char *const all = (const unsigned char *)&guarded;
    const size_t arena = offsetof(guard, memory);
    const size_t behind = vector % 2 ? offsetof(guard, above) : arena + sizeof({model}_arena);
    int same = 1;
    for (size_t n = 0; n < sizeof guarded; n++) {{
        same &= (n >= arena && n < behind) || all[n] == filling(vector);
    }}
    return same;
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
        memset(&guarded, filling(vector), sizeof guarded);
        if ({calls}) {{
            fprintf(stderr, "selftest: a part refused vector %ld\\n", vector);
            return 2;
        }}
        if (!intact(vector)) {{
            fprintf(stderr, "selftest: something was written beside the arena in vector %ld\\n", vector);
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


def selftest(program: WrittenModel, plan: Plan, real: RealApi, sound: FeaturesApi | None) -> str:
    """Return the text of selftest.c."""
    name, api, arrays = program.model.name, program.api, plan.arrays
    whole = StepsTest(plan, real) if isinstance(real, StreamApi) else WholeTest(api, plan, real)
    heard = sound_test(sound, plan)
    names = [boundary for check in plan.checks for boundary in check.expects.values()] + whole.tallies
    names += heard.tallies if heard else []
    headers = [*whole.headers, *([f"{name}_features.h"] if heard else [])]
    text = _head(name, program.places.memory, plan, names, headers)
    text += "".join(part_test(name, check, names, arrays, program.places) for check in plan.checks) + whole.text(
        names, arrays
    )
    text += heard.text(names) if heard else ""
    calls = [*(f"test_{check.part.name}(vector)" for check in plan.checks), *whole.calls]
    return text + _main(plan, calls, whole.after, heard.call if heard else "")


def _head(name: str, memory: str, plan: Plan, names: list[str], headers: list[str]) -> str:
    """Return what stands before the tests: `headers`, an array for each boundary, a tally for each of `names`."""
    sizes, widths = plan.sizes(), plan.widths()
    layout = ", ".join(
        f"{plan.labels[n]} ({sizes[n]} of {widths[n]} byte{'s' * (widths[n] > 1)})" for n in plan.boundaries
    )
    tallies = "static tally tallies[] = {" + ", ".join(f'{{"{_label(plan, n)}", 0, 0}}' for n in names) + "};"
    arrays = "\n".join(f"static int64_t {plan.arrays[n]}[{sizes[n]}];" for n in plan.boundaries)
    includes = "\n".join(f'#include "{header}"' for header in headers)
    return _HEAD.format(model=name, memory=memory, layout=layout, tallies=tallies, arrays=arrays, includes=includes)


def _main(plan: Plan, calls: list[str], after: str, sound: str) -> str:
    """Return the main function: `calls` once per vector, `sound` and `after` behind the last."""
    sizes, widths = plan.sizes(), plan.widths()
    reads = "\n            || ".join(
        f"!read_values(file, {widths[n]}, {sizes[n]}, {plan.arrays[n]})" for n in plan.boundaries
    )
    return _MAIN.format(vectors=plan.vectors, reads=reads, calls=" || ".join(calls), after=after, sound=sound)


def _label(plan: Plan, tally: str) -> str:
    """Return what is printed for a tally: its prefix, and the boundary's label."""
    kind = next(kind for kind in KINDS if tally.startswith(kind) and tally.removeprefix(kind) in plan.labels)
    return kind + plan.labels[tally.removeprefix(kind)]
