"""What `make accuracy` prints of the pooled errors: tables in plain text, the strongest rivals beside the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from microstage.models.harmonic.report import METHODS
from microstage.process.text_table import table

__all__ = ["tables"]

_BY_SOURCE = ("network", "float", "half_cycle_dft", "running_mean", "linear_regression", "ridge", "nearest_neighbour")
_STEPS = {
    "after": "half cycles from the start",
    "behind": "half cycles behind a step of amplitude or load, at any phase",
}
_RECORDED = (
    "The truth is the full-window DFT: over 10 or 12 cycles, or the whole record where it is shorter.\n"
    "It is a mean that the windows are part of (EV-CPW: of the record's own eight cycles);"
    " nothing is told beyond half of a record."
)
_MADE = "The truth is what the generator made; A1 and A2 are so narrow that the constant answer is as good."

Found = Mapping[str, Any]


def tables(found: Found) -> str:
    """Return the tables.

    By harmonic and source; every method; after half cycles; behind steps; under stress, within limits.
    """
    return "\n".join(
        [
            *_head(found),
            *_of_sources(found),
            *_of_methods(found),
            *_of_steps(found),
            *_of_stress(found),
            *_of_response(found),
        ]
    )


def _head(found: Found) -> list[str]:
    sources, unit = found["sources"], found["unit"]
    unseen = " No recording was trained on." if found["recorded"] and found["synthetic"] == 1 else ""
    total = sum(source["windows"] for source in sources.values())
    return [
        f"{total} windows of {found['cycles']:g} cycles from {len(sources)} sources,"
        " none of which its network was trained on;"
        f" mean absolute errors, peak values in {unit}.{unseen}",
        _RECORDED if found["recorded"] else _MADE,
    ]


def _of_sources(found: Found) -> list[str]:
    """Return a row per source, then all windows together, relative to the mean fundamental, and the worst window."""
    sources, methods = found["sources"], _known(found["sources"], _BY_SOURCE)
    lines: list[str] = []
    for index, harmonic in enumerate(found["harmonics"]):
        lines += [
            "",
            *table([harmonic, "amplitude", *(METHODS[m] for m in methods)], _harmonic(sources, methods, index)),
        ]
    rows = [[name, *(_percent(s["methods"][m]["thd_error"]) for m in methods)] for name, s in sources.items()]
    overall = [
        "all",
        *(_percent(_mean(sources, [s["methods"][m]["thd_error"] for s in sources.values()])) for m in methods),
    ]
    return [*lines, "", *table(["THD", *(METHODS[m] for m in methods)], [*rows, overall])]


def _harmonic(sources: Found, methods: Sequence[str], index: int) -> list[list[str]]:
    amplitude = _mean(sources, [s["amplitude"][index] for s in sources.values()])
    means = {m: _mean_error(sources, m, index) for m in methods}
    fundamental = _mean(sources, [s["amplitude"][0] for s in sources.values()])
    worst = {m: max(s["methods"][m]["worst"][index] for s in sources.values()) for m in methods}
    rows = [
        [
            name,
            f"{s['amplitude'][index]:.3f}",
            *(_or_lost(s["methods"][m]["mae"][index], s["amplitude"][index]) for m in methods),
        ]
        for name, s in sources.items()
    ]
    return [
        *rows,
        ["all", f"{amplitude:.3f}", *(_or_lost(means[m], amplitude) for m in methods)],
        ["all, relative to H1", "", *(_percent(means[m] / fundamental) for m in methods)],
        ["worst window", "", *(f"{worst[m]:.3f}" for m in methods)],
    ]


def _of_methods(found: Found) -> list[str]:
    """Return every method, those that never look or only copy included, and its error over that of the formula."""
    sources, methods = found["sources"], _known(found["sources"], METHODS)
    errors = {m: [_mean_error(sources, m, k) for k in range(4)] for m in methods}
    beside = "half_cycle_dft" if "half_cycle_dft" in errors else "linear_regression"
    rows = {
        METHODS[m]: [*_numbers(errors[m]), *(_ratio(error, other) for error, other in zip(errors[m], errors[beside]))]
        for m in methods
    }
    return _grouped("every method, the same windows", [found["unit"], f"over {METHODS[beside]}"], found, rows)


def _of_steps(found: Found) -> list[str]:
    lines: list[str] = []
    for kind, title in _STEPS.items():
        steps = found[kind]
        rows = {
            METHODS[m]: [c for told in steps.values() for c in _numbers(told[m])] for m in METHODS if m in _any(steps)
        }
        lines += _grouped(f"{title}, {found['unit']}", list(steps), found, rows)
    return lines


def _of_stress(found: Found) -> list[str]:
    """Return errors of the network, of its rival and of the ceiling; then how many of them an instrument may make."""
    stress = dict(found["stress"])
    methods = [m for m in ("network", "half_cycle_dft", "linear_regression", "interpolated_dft") if m in _any(stress)]
    errors = {
        name: [cell for m in methods for cell in (_numbers(told[m]["mae"]) if m in told else ["-"] * 4)]
        for name, told in stress.items()
    }
    judged = [(m, of) for of in ("I", "II") for m in methods if "within" in _any(stress)[m]]
    shares = {
        name: [f"{100 * share:.0f}" for m, of in judged for share in told[m]["within"][of]]
        for name, told in stress.items()
    }
    limits = f"percent within IEC 61000-4-7, {found['nominal']:g} {found['unit']} nominal"
    return [
        *_grouped(f"under stress, {found['unit']}", [METHODS[m] for m in methods], found, errors),
        *_grouped(limits, [f"{METHODS[m]}, {of}" for m, of in judged], found, shares),
    ]


def _of_response(found: Found) -> list[str]:
    told = found["response"]
    rows = [
        [
            METHODS[m],
            *(f"{told[m][key]:.0f}" if key in told[m] else "-" for key in ("mean", "worst")),
            _percent(told[m]["settled"]),
        ]
        for m in METHODS
        if m in told
    ]
    head = ["samples to within 5 % behind a step to half", "mean", "worst", "settled"]
    return ["", *table(head, rows)] if rows else []


def _grouped(title: str, groups: Sequence[str], found: Found, rows: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a table with the four harmonics under each of `groups`; nothing where there is none."""
    if not groups:
        return []
    head = ["", *(f"{harmonic:>5}" for _ in groups for harmonic in found["harmonics"])]
    cells = [[name, *row] for name, row in rows.items()]
    widths = [max(len(row[k]) for row in [head, *cells]) for k in range(len(head))]
    spans = [sum(widths[k : k + 4]) + 6 for k in range(1, len(head), 4)]
    above = "  ".join([" " * widths[0], *(f"   {group}".ljust(span) for group, span in zip(groups, spans))])
    return ["", title, above.rstrip(), *table(head, cells)]


def _known(sources: Found, methods: Iterable[str]) -> list[str]:
    return [m for m in methods if all(m in source["methods"] for source in sources.values())]


def _any(parts: Found) -> Found:
    return next(iter(parts.values()), {})


def _numbers(errors: Sequence[float]) -> list[str]:
    return [f"{error:.3f}" for error in errors]


def _ratio(error: float, other: float) -> str:
    return f"{error / other:.2f}" if other else "-"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _or_lost(error: float, amplitude: float) -> str:
    """Return an error as text.

    A harmonic whose error is its own size is lost: zero would have been as good an answer.
    """
    return f"{error:.3f}" if error < amplitude else f"{error:.3f} lost"


def _mean_error(sources: Found, method: str, index: int) -> float:
    """Return the mean absolute error of a method, of the harmonic at `index`."""
    return _mean(sources, [source["methods"][method]["mae"][index] for source in sources.values()])


def _mean(sources: Found, values: Sequence[float]) -> float:
    """Return the mean over windows of `values`, one for each of the sources."""
    windows = [source["windows"] for source in sources.values()]
    return sum(value * count for value, count in zip(values, windows)) / sum(windows)
