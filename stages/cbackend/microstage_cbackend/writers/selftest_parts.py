"""Write the functions of selftest.c that call one part, stream one cell, or make a whole inference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.vectors.plan import Check
from microstage_cbackend.writers.cell_api import CellApi
from microstage_cbackend.writers.infer_api import InferApi
from microstage_cbackend.writers.input_places import InputPlaces
from microstage_cbackend.writers.names import unique

__all__ = ["STREAM", "WHOLE", "part_test", "stream_test", "whole_test"]

WHOLE = "whole."
"Prefix of a boundary that is checked through the whole network rather than through one part."
STREAM = "stream."
"Prefix of a state that is checked behind calls of several steps each."


def part_test(network: str, check: Check, names: list[str], arrays: Mapping[str, str], places: InputPlaces) -> str:
    """Return `test_<part>`, which calls a part, a cell step by step from zeros, and compares what it gives.

    Inputs that may lie in the arena lie there in every other vector.
    """
    part, states = check.part, dict(check.part.states)
    fed = _prefixed("in", (t.name for t in part.inputs))
    got = _prefixed("out", part.output_names)
    what = f"{check.steps} steps from zero states, which are carried" if states else "one call"
    lines = [f"\n/* {part.name}: {what}. Returns its status. */", f"static int test_{part.name}(long vector)", "{"]
    lines += [line for t in part.inputs for line in _input(t, fed[t.name], places.place(t.name), zero=t.name in states)]
    lines += [f"    {t.ctype} {got[n]}[{t.size}];" for n, t in zip(part.output_names, part.outputs)]
    lines += ["", f"    for (long step = 0; step < {check.steps}; step++) {{"]
    for t in part.inputs:
        if t.name in check.feeds:
            boundary, offset = check.feeds[t.name]
            start = " + ".join([arrays[boundary], *([str(offset)] if offset else []), f"step * {t.size}"])
            lines.append(f"        COPY({t.ctype}, {fed[t.name]}, {start}, {t.size});")
    call = f"{network}_{part.name}(&ctx, {', '.join([*fed.values(), *got.values()])})"
    lines += [f"        {network}_status status = {call};", f"        if (status != {network.upper()}_OK) {{"]
    lines += ["            return (int)status;", "        }"]
    for (name, boundary), t in zip(check.expects.items(), part.outputs):
        lines += _compare(f"step * {t.size}", t.size, names.index(boundary), arrays[boundary], got[name], "        ")
    lines += [
        f"        COPY({t.ctype}, {fed[old]}, {got[new]}, {t.size});"
        for t in part.inputs
        for old, new in states.items()
        if old == t.name
    ]
    return "\n".join([*lines, "    }", "    return 0;", "}", ""])


def stream_test(cell: CellApi, check: Check, names: list[str], arrays: Mapping[str, str]) -> str:
    """Return `stream_<part>`, which runs the steps of a `cell` in calls of several, and compares its state."""
    part, states = check.part, dict(check.part.states)
    inputs = [t for t in part.inputs if t.name in check.feeds]
    outputs = {n: t for n, t in zip(part.output_names, part.outputs) if n not in states.values()}
    fed = dict(zip(_prefixed("in", (t.name for t in inputs)).values(), inputs))
    streams = {**fed, **dict(zip(_prefixed("out", outputs).values(), outputs.values()))}
    given = ", ".join(f"{name} + step * {t.size}" for name, t in streams.items())
    what = f"the same {check.steps} steps in calls of 1, 2, 3 and so on, which carry its state"
    lines = [
        f"\n/* {part.name}: {what}. Returns its status. */",
        f"static int stream_{part.name}(long vector)",
        "{",
        *(f"    static {t.ctype} {name}[{check.steps * t.size}];" for name, t in streams.items()),
        f"    {cell.prefix}_state state;",
        "",
        f"    {cell.prefix}_reset(&state);",
        *(
            f"    COPY({t.ctype}, {n}, {arrays[check.feeds[t.name][0]]}, {check.steps * t.size});"
            for n, t in fed.items()
        ),
        f"    for (long step = 0, call = 1, count; step < {check.steps}; step += count, call++) {{",
        f"        count = call < {check.steps} - step ? call : {check.steps} - step;",
        f"        {cell.network}_status status = {cell.prefix}_steps(&ctx, &state, {given}, (int32_t)count);",
        f"        if (status != {cell.network.upper()}_OK) {{",
        "            return (int)status;",
        "        }",
    ]
    for t in (t for t in part.inputs if t.name in states):
        boundary, start = check.expects[states[t.name]], f"(step + count - 1) * {t.size}"
        tally, found = names.index(f"{STREAM}{boundary}"), f"state.{cell.field(t.name)}"
        lines += _compare(start, t.size, tally, arrays[boundary], found, "        ")
    return "\n".join([*lines, "    }", "    return 0;", "}", ""])


def whole_test(infer: InferApi, names: list[str], arrays: Mapping[str, str]) -> str:
    """Return `test_whole`, which makes a whole inference and compares the answer."""
    fed, got = _prefixed("in", (t.name for t in infer.inputs)), _prefixed("out", (n for n, _ in infer.outputs))
    inputs, outputs = [(fed[t.name], t) for t in infer.inputs], infer.outputs
    lines = [
        "\n/* The whole network, input to answer. Returns its status. */",
        "static int test_whole(long vector)",
        "{",
    ]
    lines += [f"    {t.ctype} {name}[{t.size}];" for name, t in inputs]
    lines += [f"    {t.ctype} {got[n]}[{t.size}];" for n, t in outputs] + [""]
    lines += [f"    COPY({t.ctype}, {name}, {arrays[t.name]}, {t.size});" for name, t in inputs]
    arguments = ", ".join([*(name for name, _ in inputs), *got.values()])
    lines += [f"    {infer.network}_status status = {infer.network}_infer(&ctx, {arguments});"]
    lines += [f"    if (status != {infer.network.upper()}_OK) {{", "        return (int)status;", "    }"]
    for n, t in outputs:
        lines += _compare("0", t.size, names.index(f"{WHOLE}{n}"), arrays[n], got[n], "    ")
    return "\n".join([*lines, "    return 0;", "}", ""])


def _input(tensor: Tensor, name: str, place: str, zero: bool) -> list[str]:
    """Return lines that declare an input: memory of its own or, where the arena has a `place`, that by turns."""
    own = f"{name}_apart" if place else name
    lines = [f"    {tensor.ctype} {own}[{tensor.size}]{' = {0}' if zero else ''};"]
    if place:
        lines.append(f"    {tensor.ctype} *const {name} = vector % 2 ? {place}(&guarded.memory) : {own};")
    return lines


def _compare(start: str, size: int, tally: int, expected: str, found: str, indent: str) -> list[str]:
    """Return lines that compare `size` integers with those from `start` on of the array `expected`."""
    place = f"{start} + n" if start != "0" else "n"
    return [
        f"{indent}for (long n = 0; n < {size}; n++) {{",
        f"{indent}    compare(&tallies[{tally}], vector, {place}, {expected}[{place}], {found}[n]);",
        f"{indent}}}",
    ]


def _prefixed(kind: str, names: Iterable[str]) -> dict[str, str]:
    """Return {name of a tensor: variable}."""
    given = [*names]
    return {name: f"{kind}_{own}" for name, own in zip(given, unique(given))}
