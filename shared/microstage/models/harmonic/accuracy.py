"""`make accuracy` of a harmonic network: every source tested once, over four folds, beside the textbook's estimators.

The runner calls `nominal_of` and `folds_of` with what was typed, then `pooled` with what every fold gave, then
`tables`; `CHARTS` draws. Standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microstage.datasets.locations import BUILT_IN
from microstage.errors import ParameterError
from microstage.models.harmonic.accuracy_tables import tables
from microstage.models.harmonic.instrument import CLASSES, NOMINAL, largest_error, share_within
from microstage.models.harmonic.report import HARMONICS, METHODS

__all__ = ["CHARTS", "FOLDS", "folds_of", "nominal_of", "pooled", "tables"]

CHARTS = "microstage.charts.accuracy"
"The module that draws the tables; a stage's environment that has matplotlib runs it."
FOLDS = 4


def folds_of(typed: Mapping[str, str]) -> list[dict[str, str]]:
    """Return what is typed, once per fold; once in all for the generator, whose sources are all alike."""
    typed = {name: value for name, value in typed.items() if name != "NOMINAL"}
    if "FOLD" in typed:
        raise ParameterError("make accuracy runs every FOLD; leave FOLD= out.")
    if typed.get("DATASET", BUILT_IN[0]) in BUILT_IN:
        return [dict(typed)]
    return [{**typed, "FOLD": str(fold)} for fold in range(FOLDS)]


def nominal_of(typed: Mapping[str, str]) -> float | None:
    """Return NOMINAL=, a positive number; None where it is left out."""
    if "NOMINAL" not in typed:
        return None
    try:
        nominal = float(typed["NOMINAL"])
    except ValueError:
        nominal = 0.0
    if not 0 < nominal < float("inf"):
        raise ParameterError(
            f"NOMINAL={typed['NOMINAL']} is no nominal value: expected a positive number of A or V, rms: NOMINAL=32."
        )
    return nominal


def pooled(trained: Sequence[Mapping[str, Any]], nominal: float | None) -> dict[str, Any]:
    """Pool what all folds found, each the "parameters" and "metrics" of one training.

    `nominal` is the instrument's, rms. A source is tested in one of the folds; of what is common to all, the mean over
    windows is told.
    """
    about, folds = trained[0]["parameters"], [fold["metrics"] for fold in trained]
    unit, windows = folds[0]["test.unit"], [fold["test.windows"] for fold in folds]
    nominal = nominal or NOMINAL[unit, about["frequency"]]
    sources: dict[str, Any] = {}
    for fold in folds:
        sources |= fold["test.by_source"]
    common = {
        name: _mean([fold[f"test.{name}"] for fold in folds], windows) for name in ("after", "behind", "response")
    }
    return {
        "unit": unit, "nominal": nominal, "recorded": about["dataset"] not in BUILT_IN, "synthetic": about["synthetic"],
        "cycles": about["cycles"], "harmonics": HARMONICS, "labels": list(METHODS.items()),
        "sources": dict(sorted(sources.items())), **common,
        "stress": [
            [of_all[0]["condition"], _mean([_within_limits(of, nominal, unit) for of in of_all], windows)]
            for of_all in zip(*(fold["test.stress"] for fold in folds))
        ],
    }  # fmt: skip


def _within_limits(found: Mapping[str, Any], nominal: float, unit: str) -> dict[str, Any]:
    """Return {method: {"mae", "within": {class: share per harmonic}}} of one condition.

    `within` is there where quantiles are told.
    """
    told: dict[str, Any] = {}
    for method, errors in found["methods"].items():
        told[method] = {"mae": errors["mae"]}
        if "errors" in errors:
            limits = {of: [largest_error(size, nominal, unit, of) for size in found["amplitude"]] for of in CLASSES}
            told[method]["within"] = {of: list(map(share_within, errors["errors"], limits[of])) for of in CLASSES}
    return told


def _mean(parts: Sequence[Any], weights: Sequence[float], name: str = "") -> Any:
    """Return the mean of equal structures, number by number: over those that have one, and of a "worst" the largest."""
    if isinstance(parts[0], Mapping):
        having = {key: [k for k, part in enumerate(parts) if key in part] for part in parts for key in part}
        return {
            key: _mean([parts[k][key] for k in places], [weights[k] for k in places], key)
            for key, places in having.items()
        }
    if isinstance(parts[0], list):
        return [_mean(column, weights, name) for column in zip(*parts)]
    return max(parts) if name == "worst" else sum(p * w for p, w in zip(parts, weights)) / sum(weights)
