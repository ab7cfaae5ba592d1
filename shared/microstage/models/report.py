"""What the runner tells of a trained network, as far as all families share it.

Standard library alone, as the runner imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage.process.text_table import table

__all__ = ["closing", "columns", "result"]

Values = Mapping[str, Any]
_STEPS = {"float_": "in floats", "calibrated_": "calibrated", "": "shipped"}  # of quantising


def closing(metrics: Values, parameters: Values) -> list[str]:
    """Return the lines on accuracy of the closing table: overall, class by class, and what it was tested on; then what
    quantising did to it.
    """
    if "test.accuracy" not in metrics:
        return _through_quantising(metrics)
    accuracy = f"accuracy {100 * metrics['test.accuracy']:.2f} % of {metrics['test.examples']} test examples"
    rows = [[name, f"{100 * share:.2f} %"] for name, share in metrics["test.accuracy_of"].items()]
    classes = table(["class", "accuracy"], rows)
    return ["", f"{accuracy}: {metrics['test.origin']}", *classes, *_through_quantising(metrics)]


def _through_quantising(metrics: Values) -> list[str]:
    """Return a table of each figure in floats, calibrated and as shipped, of a network that was trained in floats."""
    figures = [name.removeprefix("test.float_") for name in metrics if name.startswith("test.float_")]
    if not figures:
        return []
    steps = [step for step in _STEPS if f"test.{step}{figures[0]}" in metrics]
    rows = [
        [figure.replace("_", " "), *(f"{metrics[f'test.{step}{figure}']:.4g}" for step in steps)] for figure in figures
    ]
    return ["", *table(["figure", *(_STEPS[step] for step in steps)], rows)]


def columns(metrics: Values, all_metrics: Values) -> dict[str, str]:
    """Return {column: cell} of one run in `make sweep`; `all_metrics` are those of every stage of the run.

    For classes: top-1 as it was trained, and as its integer graph answers; else what the network told of itself.
    """
    if "test.accuracy" not in metrics:
        return {name: f"{value:.4g}" for name, value in _told(metrics).items()}
    found = {"top-1": f"{100 * metrics['test.accuracy']:.2f} %", "tested on": f"{metrics['test.examples']:,}"}
    if "streamlined.accuracy" in all_metrics:
        found["integers' top-1"] = f"{100 * all_metrics['streamlined.accuracy']:.2f} %"
        found["of"] = f"{all_metrics['streamlined.answers']:,}"
    return found


def result(metrics: Values) -> str:
    """Return what `make runs` says of a finished training; "-" where it measured nothing."""
    if "test.accuracy" not in metrics:
        return ", ".join(f"{name.removeprefix('test.')} {value:.4g}" for name, value in _told(metrics).items()) or "-"
    return f"{100 * metrics['test.accuracy']:.2f} %, {metrics['test.origin']}"


def _told(metrics: Values) -> dict[str, float]:
    """Return what a network that has no classes told of itself, as it is shipped."""
    told = {name: value for name, value in sorted(metrics.items()) if name.startswith("test.")}
    before = tuple(f"test.{step}" for step in _STEPS if step)
    return {name: value for name, value in told.items() if isinstance(value, float) and not name.startswith(before)}
