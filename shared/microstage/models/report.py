"""What the runner tells of a trained network, as far as all families share it.

Standard library alone, as the runner imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage.process.text_table import table

__all__ = ["closing", "columns", "result"]

Values = Mapping[str, Any]


def closing(metrics: Values, parameters: Values) -> list[str]:
    """Return the lines on accuracy of the closing table: overall, class by class, and what it was tested on."""
    if "test.accuracy" not in metrics:
        return []
    accuracy = f"accuracy {100 * metrics['test.accuracy']:.2f} % of {metrics['test.examples']} test examples"
    rows = [[name, f"{100 * share:.2f} %"] for name, share in metrics["test.accuracy_of"].items()]
    return ["", f"{accuracy}: {metrics['test.origin']}", *table(["class", "accuracy"], rows)]


def columns(metrics: Values, all_metrics: Values) -> dict[str, str]:
    """Return {column: cell} of one run in `make sweep`; `all_metrics` are those of every stage of the run.

    For classes: top-1 as it was trained, and as its integer graph answers; else what the network told of itself.
    """
    if "test.accuracy" not in metrics:
        told = {name: value for name, value in sorted(metrics.items()) if name.startswith("test.")}
        return {name: f"{value:.4g}" for name, value in told.items() if isinstance(value, float)}
    found = {"top-1": f"{100 * metrics['test.accuracy']:.2f} %", "tested on": f"{metrics['test.examples']:,}"}
    if "streamlined.accuracy" in all_metrics:
        found["integers' top-1"] = f"{100 * all_metrics['streamlined.accuracy']:.2f} %"
        found["of"] = f"{all_metrics['streamlined.answers']:,}"
    return found


def result(metrics: Values) -> str:
    """Return what `make runs` says of a finished training; "-" where it measured nothing."""
    if "test.accuracy" not in metrics:
        return "-"
    return f"{100 * metrics['test.accuracy']:.2f} %, {metrics['test.origin']}"
