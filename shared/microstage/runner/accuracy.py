"""`make accuracy`: every source tested once, over four folds, the network beside the textbook's estimators."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from microstage.canonical import digest, write_json
from microstage.datasets.locations import BUILT_IN
from microstage.errors import ParameterError
from microstage.runner.chain import Chain
from microstage.runner.places import Place
from microstage.runner.report import METHODS, table

__all__ = ["FOLDS", "draw", "folds_of", "pooled", "tables"]

FOLDS = 4
_HARMONICS = ("H1", "H3", "H5", "H7")

Sources = Mapping[str, Mapping[str, Any]]


def folds_of(typed: Mapping[str, str]) -> list[dict[str, str]]:
    """What is typed, once per fold; once in all for the generator, whose sources are all alike."""
    if "FOLD" in typed:
        raise ParameterError("make accuracy runs every FOLD; leave FOLD= out.")
    if typed.get("DATASET", BUILT_IN[0]) in BUILT_IN:
        return [dict(typed)]
    return [{**typed, "FOLD": str(fold)} for fold in range(FOLDS)]


def pooled(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Sources of all folds; each is in the test of one fold alone."""
    sources: dict[str, Mapping[str, Any]] = {}
    for fold in metrics:
        sources |= fold["test.by_source"]
    return dict(sorted(sources.items()))


def tables(sources: Sources, unit: str) -> str:
    """Per harmonic and for the THD: a row per source, then all windows together, relative to the mean amplitude, and the worst window."""
    methods = _methods(sources)
    total = sum(source["windows"] for source in sources.values())
    lines = [f"{total} windows of {len(sources)} sources, none of which its network was trained on; mean absolute errors, peak values in {unit}.",
             "The truth, and so the ceiling, is the full-window DFT: over 10 or 12 cycles, or the whole record where it is shorter."]
    for index, harmonic in enumerate(_HARMONICS):
        lines += ["", *table([harmonic, "amplitude", *(METHODS[m] for m in methods)], _harmonic(sources, methods, index))]
    rows = [[name, *(f"{100 * s['methods'][m]['thd_error']:.2f} %" for m in methods)] for name, s in sources.items()]
    overall = ["all", *(f"{100 * _mean(sources, lambda s, m=m: s['methods'][m]['thd_error']):.2f} %" for m in methods)]
    return "\n".join([*lines, "", *table(["THD", *(METHODS[m] for m in methods)], [*rows, overall])])


def draw(sources: Sources, unit: str, chain: Chain) -> Path:
    """A PNG per harmonic, by train's environment, which has matplotlib: the folder under volumes/accuracy."""
    pooled = {"unit": unit, "harmonics": _HARMONICS, "methods": [[m, METHODS[m]] for m in _methods(sources)], "sources": sources}
    result = chain.store.volumes / "accuracy" / digest(pooled)[:16]
    with Place(chain.store.volumes, "charts") as place:
        given, drawn, scratch = (place / name for name in ("pooled", "drawn", "scratch"))
        for folder in (given, drawn, scratch):
            folder.mkdir()
        write_json(given / "pooled.json", pooled)
        code = chain.backend.run(chain.stages["train"], inputs={"pooled": given}, parameters={}, output=drawn, scratch=scratch,
                                 module="microstage.charts.accuracy")
        if code:
            raise chain.store.failed("charts", scratch, code, "The charts were not drawn; the reason is above.")
        (drawn / "report.json").unlink()
        shutil.copy(given / "pooled.json", drawn)
        result.parent.mkdir(exist_ok=True)
        shutil.rmtree(result, ignore_errors=True)
        drawn.rename(result)
    return result


def _methods(sources: Sources) -> list[str]:
    return [m for m in METHODS if all(m in source["methods"] for source in sources.values())]


def _harmonic(sources: Sources, methods: Sequence[str], index: int) -> list[list[str]]:
    amplitude = _mean(sources, lambda s: s["amplitude"][index])
    means = {m: _mean(sources, lambda s, m=m: s["methods"][m]["mae"][index]) for m in methods}
    worst = {m: max(s["methods"][m]["worst"][index] for s in sources.values()) for m in methods}
    rows = [
        [name, f"{s['amplitude'][index]:.3f}", *(_or_lost(s["methods"][m]["mae"][index], s["amplitude"][index]) for m in methods)]
        for name, s in sources.items()
    ]
    return [
        *rows,
        ["all", f"{amplitude:.3f}", *(_or_lost(means[m], amplitude) for m in methods)],
        ["all, relative to H1", "", *(f"{100 * means[m] / _mean(sources, lambda s: s['amplitude'][0]):.2f} %" for m in methods)],
        ["worst window", "", *(f"{worst[m]:.3f}" for m in methods)],
    ]


def _or_lost(error: float, amplitude: float) -> str:
    """A harmonic whose error is its own size is not measured: zero would have been as good an answer."""
    return f"{error:.3f}" if error < amplitude else f"{error:.3f} lost"


def _mean(sources: Sources, value) -> float:
    """Over windows."""
    return sum(value(s) * s["windows"] for s in sources.values()) / sum(s["windows"] for s in sources.values())
