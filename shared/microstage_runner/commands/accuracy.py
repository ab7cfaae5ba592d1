"""`make accuracy`: every source tested once, over four folds, the network beside the textbook's estimators."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from microstage.datasets.locations import BUILT_IN
from microstage.errors import ParameterError
from microstage.files.canonical import digest, write_json
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.places import Place
from microstage_runner.commands.instrument import CLASSES, NOMINAL, largest_error, share_within
from microstage_runner.pipeline.pipeline import Chain
from microstage_runner.pipeline.report import METHODS

__all__ = ["FOLDS", "draw", "folds_of", "nominal_of", "pooled"]

FOLDS = 4
_HARMONICS = ("H1", "H3", "H5", "H7")


def folds_of(typed: Mapping[str, str]) -> list[dict[str, str]]:
    """What is typed, once per fold; once in all for the generator, whose sources are all alike."""
    typed = {name: value for name, value in typed.items() if name != "NOMINAL"}
    if "FOLD" in typed:
        raise ParameterError("make accuracy runs every FOLD; leave FOLD= out.")
    if typed.get("DATASET", BUILT_IN[0]) in BUILT_IN:
        return [dict(typed)]
    return [{**typed, "FOLD": str(fold)} for fold in range(FOLDS)]


def nominal_of(typed: Mapping[str, str]) -> float | None:
    """NOMINAL=, a positive number; None where it is left out."""
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


def pooled(trained: Sequence[Artefact], nominal: float | None) -> dict[str, Any]:
    """What all folds found: a source is tested in one of them; of what is common to all, the mean over windows."""
    about, folds = trained[0].about["parameters"], [artefact.about["metrics"] for artefact in trained]
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
        "cycles": about["cycles"], "harmonics": _HARMONICS, "labels": list(METHODS.items()),
        "sources": dict(sorted(sources.items())), **common,
        "stress": [
            [of_all[0]["condition"], _mean([_within_limits(of, nominal, unit) for of in of_all], windows)]
            for of_all in zip(*(fold["test.stress"] for fold in folds))
        ],
    }  # fmt: skip


def _within_limits(found: Mapping[str, Any], nominal: float, unit: str) -> dict[str, Any]:
    """{method: {"mae", "within": {class: share per harmonic}}} of one condition; `within` where quantiles are told."""
    told: dict[str, Any] = {}
    for method, errors in found["methods"].items():
        told[method] = {"mae": errors["mae"]}
        if "errors" in errors:
            limits = {of: [largest_error(size, nominal, unit, of) for size in found["amplitude"]] for of in CLASSES}
            told[method]["within"] = {of: list(map(share_within, errors["errors"], limits[of])) for of in CLASSES}
    return told


def _mean(parts: Sequence[Any], weights: Sequence[float], name: str = "") -> Any:
    """Of equal structures, number by number; of what only some have, over those; of a "worst", the largest."""
    if isinstance(parts[0], Mapping):
        return {
            key: _mean(*zip(*[(p[key], w) for p, w in zip(parts, weights) if key in p]), key)
            for key in dict.fromkeys(k for p in parts for k in p)
        }
    if isinstance(parts[0], list):
        return [_mean(column, weights, name) for column in zip(*parts)]
    return max(parts) if name == "worst" else sum(p * w for p, w in zip(parts, weights)) / sum(weights)


def draw(found: Mapping[str, Any], chain: Chain) -> Path:
    """A PNG per table, by train's environment, which has matplotlib: the folder under volumes/accuracy."""
    result = chain.store.volumes / "accuracy" / digest(found)[:16]
    with Place(chain.store.volumes, "charts") as place:
        given, drawn, scratch = (place / name for name in ("pooled", "drawn", "scratch"))
        for folder in (given, drawn, scratch):
            folder.mkdir()
        write_json(given / "pooled.json", found)
        code = chain.backend.run(
            chain.stages["train"],
            inputs={"pooled": given},
            parameters={},
            output=drawn,
            scratch=scratch,
            module="microstage.charts.accuracy",
        )
        if code:
            raise chain.store.failed("charts", scratch, code, "The charts were not drawn; the reason is above.")
        (drawn / "report.json").unlink()
        shutil.copy(given / "pooled.json", drawn)
        result.parent.mkdir(exist_ok=True)
        shutil.rmtree(result, ignore_errors=True)
        drawn.rename(result)
    return result
