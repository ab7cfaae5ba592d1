"""Write C that makes integers of real numbers, as interface.json says it of an input.

They are made by scale and rounding, by sign, or by thresholds. Rounding is written out, so that neither the C library
nor a rounding mode has a say in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from microstage.integer.tensor import narrowed
from microstage_cbackend.program.ir import Tensor

__all__ = ["by_axis", "by_row", "each", "is_sign", "quantise", "rounding_functions", "shown"]

_MOST_SHOWN = 64
_ROUNDING = """
/* value, already scaled, to {what}, held to low..high. */
static int32_t {name}(double value, int32_t low, int32_t high)
{{
    if (value <= low) {{
        return low;
    }}
    if (value >= high) {{
        return high;
    }}
    const int32_t whole = (int32_t)value;
{steps}    return whole;
}}
"""

_MODES = {
    "ROUND": (
        "nearest",
        "the nearest integer, halves to even",
        "rest > 0.5 || (rest == 0.5 && whole % 2)",
        "rest < -0.5 || (rest == -0.5 && whole % 2)",
    ),
    "HALF_UP": ("nearest_half_up", "the nearest integer, halves away from zero", "rest >= 0.5", "rest <= -0.5"),
    "HALF_DOWN": ("nearest_half_down", "the nearest integer, halves towards zero", "rest > 0.5", "rest < -0.5"),
    "UP": ("away_from_zero", "the next integer away from zero", "rest > 0", "rest < 0"),
    "DOWN": ("towards_zero", "the next integer towards zero", "", ""),
    "FLOOR": ("below", "the integer below", "", "rest < 0"),
    "CEIL": ("above", "the integer above", "rest > 0", ""),
}


def rounding_functions(facts: Iterable[Mapping[str, Any]]) -> str:
    """Return the functions that inputs of these `facts` call."""
    used = {said.get("rounding", "ROUND") for said in facts if not is_sign(said) and "thresholds" not in said}
    return "".join(_function(*_MODES[mode]) for mode in sorted(used))


def _function(name: str, what: str, more: str, less: str) -> str:
    steps = "    const double rest = value - whole;\n" if more or less else ""
    for condition, step in ((more, "+ 1"), (less, "- 1")):
        steps += f"    if ({condition}) {{\n        return whole {step};\n    }}\n" if condition else ""
    return _ROUNDING.format(what=what, name=name, steps=steps)


def is_sign(facts: Mapping[str, Any]) -> bool:
    """Tell whether the integers of an input are -1 and 1, which have no zero between them."""
    return facts.get("datatype") == "BIPOLAR"


def quantise(t: Tensor, own: Callable[[str], str], real: str, facts: Mapping[str, Any], gain: bool) -> list[str]:
    """Return lines that fill the integers of tensor `t` from the array `real`, divided by `gain` first if there is one.

    `own` names its variables: "integers", "scale", "offset", "thresholds".
    """
    if "thresholds" in facts:
        return _by_thresholds(t, own, real, facts)
    zero, (low, high) = int(facts.get("zero_point") or 0), facts.get("range", (t.low, t.high))
    scale, lines = each(own("scale"), t, facts["scale"])
    value, body = f"{real}[i] / gain" if gain else f"{real}[i]", []
    offset = facts.get("offset") or 0.0
    if offset:
        added, more = each(own("offset"), t, offset)
        lines, value = lines + more, f"({value} - {added}) / {scale}"
    elif facts.get("precision") == "float32" and not gain:
        body, value = (
            [f"        const float level = {value} / (float){scale}; /* in float32, as the file has it */"],
            "level",
        )
    else:
        value = f"{value} / {scale}"
    function = _MODES[facts.get("rounding", "ROUND")][0]
    integer = f"{function}({value}, {low - zero}, {high - zero}){f' + {zero}' if zero else ''}"
    integer = f"{value} >= 0 ? 1 : -1" if is_sign(facts) else integer
    body.append(f"        {own('integers')}[i] = ({t.ctype})({integer});")
    return [*lines, f"    for (int32_t i = 0; i < {t.size}; i++) {{", *body, "    }"]


def _by_thresholds(t: Tensor, own: Callable[[str], str], real: str, facts: Mapping[str, Any]) -> list[str]:
    """Return lines that count how many of its channel's thresholds a value reaches."""
    rows, inner = by_row(facts["thresholds"], t.shape)
    levels, (low, high) = rows.shape[1], facts["range"]
    row = _place(len(rows), inner, t.size) if len(rows) > 1 else "0"
    numbers = ", ".join("{" + ", ".join(repr(float(v)) for v in one) + "}" for one in rows)
    return [
        f"    static const double {own('thresholds')}[{len(rows)}][{levels}] = {{{numbers}}};",
        f"    for (int32_t i = 0; i < {t.size}; i++) {{",
        f"        const double *const reached = {own('thresholds')}[{row}];",
        f"        int32_t level = {low};",
        f"        for (int32_t k = 0; k < {levels}; k++) {{",
        f"            level += {real}[i] >= reached[k] ? {(high - low) // levels} : 0;",
        "        }",
        f"        {own('integers')}[i] = ({t.ctype})level;",
        "    }",
    ]


def each(name: str, t: Tensor, values: float | list[float]) -> tuple[str, list[str]]:
    """Return (the i-th of `values` in C, declarations that it needs)."""
    if not isinstance(values, list):
        return repr(float(values)), []
    kept, inner = by_axis(values, t.shape)
    return f"{name}[{_place(len(kept), inner, t.size)}]", [
        f"    static const double {name}[{len(kept)}] = {{{', '.join(repr(float(v)) for v in kept)}}};"
    ]


def shown(values: float | list[float], shape: Sequence[int]) -> str:
    """Return numbers of a tensor of `shape` in words.

    Numbers of each channel where they are no others; the lowest and the highest where they are many.
    """
    if not isinstance(values, list):
        return str(values)
    kept, _ = by_axis(values, shape)
    if len(kept) > _MOST_SHOWN:
        return f"{min(kept):.9g} to {max(kept):.9g}, one for each value"
    axis = next((axis for axis, size in enumerate(shape) if size == len(kept)), 0)
    return f"{kept}" if len(kept) == len(values) else f"{kept} along axis {axis}"


def by_axis(values: list[float], shape: Sequence[int]) -> tuple[list[float], int]:
    """Return (numbers, inner): the i-th value has number i / inner % how many there are.

    There is one number for each place of an axis, where numbers differ along no other.
    """
    if prod(shape) != len(values):
        return values, 1
    kept = narrowed(np.array(values).reshape(shape))
    axes = [axis for axis, size in enumerate(kept.shape) if size > 1]
    if len(axes) != 1:
        return values, 1
    return kept.reshape(-1).tolist(), prod(shape[axes[0] + 1 :])


def by_row(thresholds: Sequence[Any], shape: Sequence[int]) -> tuple[np.ndarray, int]:
    """Return (rows [rows, levels], inner): the i-th value of a tensor of `shape` has row i / inner % rows."""
    table = np.asarray(thresholds, np.float64)
    axes = [axis for axis, size in enumerate(table.shape[:-1]) if size > 1]
    if len(axes) > 1:
        table = np.broadcast_to(table, (*shape, table.shape[-1]))
    inner = prod(shape[axes[0] + 1 :]) if len(axes) == 1 else 1
    return table.reshape(-1, table.shape[-1]), inner


def _place(count: int, inner: int, size: int) -> str:
    """Return the place of the i-th value's number in C, of `count` numbers for `size` values."""
    place = f"i / {inner}" if inner > 1 else "i"
    return f"{place} % {count}" if count * inner < size else place
