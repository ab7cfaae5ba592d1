"""Write the part of selftest.c that calls `<model>_infer_float` and compares with the reference's real answers.

An answer is equal if it differs from the reference's by at most one unit of float32, 2^-23, of the terms that it is the
sum of: |answer|, and the offset that is added to it. Both sides compute scale * integer + offset in double, in an order
of their own, and round once to float32.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microstage_cbackend.vectors.real import PREFIX
from microstage_cbackend.writers.real_ends import RealEnds

__all__ = ["REFUSED", "tallies", "test"]

REFUSED = "refused."
"Prefix of an input that is checked to be refused where it holds what is no number, or beyond its gain."

_HELPERS = """
/* The float32 of this pattern of bits. */
static float float_of(int64_t bits)
{
    const uint32_t pattern = (uint32_t)bits;
    float value;
    memcpy(&value, &pattern, sizeof value);
    return value;
}

/* Counts answers within one unit of float32 of the larger of their terms, and prints the first that is not. */
static void compare_float(tally *t, long vector, long index, float expected, float found, double offset)
{
    const double terms = (expected < 0 ? -(double)expected : expected) + (offset < 0 ? -offset : offset);
    const double difference = (double)found - expected, bound = terms / 8388608;
    if (difference <= bound && -difference <= bound) {
        t->equal++;
    } else if (t->compared == t->equal) {
        printf("differs %s %ld %ld %.9g %.9g\\n", t->boundary, vector, index, (double)expected, (double)found);
    }
    t->compared++;
}
"""

_NO_NUMBERS = np.array([0x7FC00000, 0x7F800000, 0xFF800000], np.uint32)


def tallies(real: RealEnds) -> list[str]:
    """Return the boundaries that are counted."""
    if not real.possible:
        return []
    return [*(f"{PREFIX}{name}" for name, _ in real.outputs), *(f"{REFUSED}{PREFIX}{name}" for name in real.reals)]


def test(real: RealEnds, names: list[str], arrays: Mapping[str, str]) -> str:
    """Return `test_float`, called with each vector, and `refuse_float`, called once, with the last."""
    return _HELPERS + _arrays(real) + _test(real, names, arrays) + _refuse(real, names)


def _arrays(real: RealEnds) -> str:
    lines = [f"static float {_in(real, name)}[{t.size}];" for name, (t, *_) in real.reals.items()] + [
        f"static float {_out(real, n)}[{t.size}];" for n, t in real.outputs
    ]
    for name, t in real.outputs:
        offset = real.offset_of(name)
        if isinstance(offset, list):
            lines.append(
                f"static const double {_out(real, name)}_offset[{t.size}] = "
                f"{{{', '.join(repr(float(v)) for v in offset)}}};"
            )
    return "\n" + "\n".join(lines) + "\n"


def _call(real: RealEnds) -> str:
    arguments = ", ".join(
        ["&ctx", *(_in(real, name) for name in real.reals), *(_out(real, n) for n, _ in real.outputs)]
    )
    return f"{real.name}_infer_float({arguments})"


def _test(real: RealEnds, names: list[str], arrays: Mapping[str, str]) -> str:
    lines = ["", "/* Real numbers in and out. Returns its status. */", "static int test_float(long vector)", "{"]
    for given, (t, *_) in real.reals.items():
        lines += [
            f"    for (long n = 0; n < {t.size}; n++) {{",
            f"        {_in(real, given)}[n] = float_of({arrays[f'{PREFIX}{given}']}[n]);",
            "    }",
        ]
    lines += [
        f"    {real.name}_status status = {_call(real)};",
        f"    if (status != {real.upper}_OK) {{",
        "        return (int)status;",
        "    }",
    ]
    for name, t in real.outputs:
        added = real.offset_of(name)
        offset = f"{_out(real, name)}_offset[n]" if isinstance(added, list) else repr(float(added))
        tally = f"&tallies[{names.index(f'{PREFIX}{name}')}]"
        compared = f"{tally}, vector, n, float_of({arrays[f'{PREFIX}{name}']}[n]), {_out(real, name)}[n], {offset}"
        lines += [f"    for (long n = 0; n < {t.size}; n++) {{", f"        compare_float({compared});", "    }"]
    return "\n".join([*lines, "    return 0;", "}", ""])


def _refuse(real: RealEnds, names: list[str]) -> str:
    lines = [
        "",
        "/* What is no number, infinite, or beyond the largest gain, is refused, wherever it stands. */",
        "static void refuse_float(long vector)",
        "{",
    ]
    for given, (t, *_) in real.reals.items():
        tally, array, patterns = names.index(f"{REFUSED}{PREFIX}{given}"), _in(real, given), _refused(real, given)
        lines += [
            f"    static const uint32_t {array}_refused[] = {{{', '.join(f'{p:#010x}u' for p in patterns)}}};",
            f"    for (int k = 0; k < {len(patterns)}; k++) {{",
            f"        for (long n = 0; n < {t.size}; n += {max(1, t.size - 1)}) {{",
            f"            const float kept = {array}[n];",
            f"            {array}[n] = float_of({array}_refused[k]);",
            f"            compare(&tallies[{tally}], vector, n, {real.upper}_OUT_OF_RANGE, {_call(real)});",
            f"            {array}[n] = kept;",
            "        }",
            "    }",
        ]
    return "\n".join([*lines, "}", ""])


def _refused(real: RealEnds, given: str) -> np.ndarray:
    """Return patterns of the numbers that input `given` refuses; beside a gain, the first beyond the largest."""
    if real.gain is None or given != real.gain.window:
        return _NO_NUMBERS
    beyond = np.nextafter(np.float32(2.0 ** real.gain.exponents[1]), np.float32(np.inf))
    return np.concatenate([_NO_NUMBERS, np.array([beyond, -beyond]).view(np.uint32)])


def _in(real: RealEnds, name: str) -> str:
    return f"real_in_{real.named_reals[name]}"


def _out(real: RealEnds, name: str) -> str:
    return f"real_out_{real.given[name]}"
