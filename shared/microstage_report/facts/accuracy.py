"""How good the network is, beside what it was quantised from and what needs no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from microstage.models.harmonic.report import HARMONICS, METHODS
from microstage_report.facts.run import PublishedRun

__all__ = ["accuracy"]

Row = dict[str, Any]
_STEPS = {"float_": "in floats", "calibrated_": "calibrated", "": "quantised network"}
_NOT_FIGURES = {"examples", "windows"}


def accuracy(run: PublishedRun) -> list[Row]:
    """Return a row per figure of every method; the quantised network's own are marked as `ours`."""
    metrics = run.metrics
    if "test.mae.network" in metrics:
        return [*_harmonic(metrics)]
    return [*_figures(metrics), *_of_integers(metrics), *_majority(metrics)]


def _harmonic(metrics: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the mean absolute error of each method, harmonic by harmonic, and that of the total distortion."""
    unit = metrics.get("test.unit", "A")
    for key, method in METHODS.items():
        for harmonic, error in zip(HARMONICS, metrics.get(f"test.mae.{key}", ())):
            yield _row(method, f"mean absolute error of {harmonic}", error, unit, key == "network")
        if (distortion := metrics.get(f"test.thd_error.{key}")) is not None:
            yield _row(method, "error of THD", 100 * distortion, "%", key == "network")


def _figures(metrics: Mapping[str, Any]) -> Iterator[Row]:
    """Yield each figure that the training measured: in floats, calibrated, as it is shipped."""
    measured = {name.removeprefix("test."): value for name, value in metrics.items() if name.startswith("test.")}
    for name, value in measured.items():
        step = next(step for step in _STEPS if name.startswith(step))
        figure = name.removeprefix(step)
        if isinstance(value, float) and figure not in _NOT_FIGURES:
            yield _figure(_STEPS[step], figure, value, not step)


def _of_integers(metrics: Mapping[str, Any]) -> Iterator[Row]:
    """Yield what the graph of integers answers by itself, where the golden vectors have classes."""
    if "streamlined.accuracy" in metrics:
        yield _figure("its integers", "accuracy", metrics["streamlined.accuracy"], True)


def _majority(metrics: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the share of the most frequent class, which needs no network."""
    counts = [sum(row) for row in metrics.get("test.confusion", ())]
    if any(counts):
        yield _figure("always the most frequent class", "accuracy", max(counts) / sum(counts), False)


def _figure(what: str, figure: str, value: float, ours: bool) -> Row:
    percent = figure.endswith("accuracy")
    return _row(what, figure.replace("_", " "), 100 * value if percent else value, "%" if percent else "", ours)


def _row(what: str, figure: str, value: float, unit: str, ours: bool) -> Row:
    return {"what": what, "figure": figure, "value": round(value, 6), "unit": unit, "ours": ours}
