"""Runs side by side, as the page and the picture show them: what differs, the figures, and which none beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["comparison"]

_COSTS = ("LUT", "constants", "MAC", "weights", "slowest layer")
"What a network may cost: the first of these that all runs have goes along."
_BETTER_HIGH = ("top-1", "accuracy", "integers' top-1")
_NEITHER = ("epochs", "seconds", "integers compared", "differing", "explained ties", "tested on", "of")


def comparison(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return {"runs", "pareto"} of [{"id", "parameters", "figures": {name: number}}].

    "pareto" has "x", what a network costs, "y", how well it does, whether a "higher" y is better, and the "front": the
    ids of the runs that none beats in both. It is missing where the runs have no two such figures in common.
    """
    x, y = _axes(runs)
    if not (x and y):
        return {"runs": list(runs)}
    return {"runs": list(runs), "pareto": {"x": x, "y": y, "higher": y in _BETTER_HIGH, "front": _front(runs, x, y)}}


def _axes(runs: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return the figures of cost and of quality, or "" for one that there is not."""
    shared = [name for name in (runs[0]["figures"] if runs else ()) if all(name in run["figures"] for run in runs)]
    cost = next((name for name in _COSTS if name in shared), "")
    quality = [name for name in shared if name not in (*_COSTS, *_NEITHER, "BRAM", "DSP")]
    slowest = [name for name in shared if name == "slowest layer" and name != cost]
    return cost, next(iter([*quality, *slowest]), "")


def _front(runs: Sequence[Mapping[str, Any]], x: str, y: str) -> list[str]:
    """Return the ids of the runs that no other beats in one of the two and equals or beats in the other."""
    sign = -1 if y in _BETTER_HIGH else 1
    places = {run["id"]: (run["figures"][x], sign * run["figures"][y]) for run in runs}
    return [
        name
        for name, own in places.items()
        if not any(other != own and other[0] <= own[0] and other[1] <= own[1] for other in places.values())
    ]
