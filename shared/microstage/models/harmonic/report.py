"""What the runner tells of a trained harmonic network: errors by harmonic, beside the textbook's estimators.

The functions are those of `microstage.models.report`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage.process.text_table import table

__all__ = ["HARMONICS", "METHODS", "closing", "columns", "result"]

HARMONICS = ("H1", "H3", "H5", "H7")
METHODS = {
    "network": "quantised network",
    "float": "float twin",
    "uncorrected": "network, uncorrected",
    "half_cycle_dft": "half-cycle DFT",
    "integer_dft": "DFT of its integers",
    "running_mean": "mean so far",
    "gated_mean": "gated mean",
    "running_dft": "DFT so far",
    "gated_dft": "gated DFT so far",
    "least_squares": "least squares H1..H7",
    "linear_regression": "linear regression",
    "ridge": "ridge regression",
    "nearest_neighbour": "1-NN",
    "constant": "constant answer",
    "interpolated_dft": "8-cycle DFT",
}

Values = Mapping[str, Any]


def closing(metrics: Values, parameters: Values) -> list[str]:
    """Return the mean absolute error of every method, by harmonic and of the total harmonic distortion."""
    rows = [(key, metrics[f"test.mae.{key}"]) for key in METHODS if f"test.mae.{key}" in metrics]
    if not rows:
        return []
    unit, windows = metrics.get("test.unit", "A"), metrics.get("test.windows", "?")
    built_in = " (built in; no recording was used)" if parameters["dataset"] == "generator" else ""
    head = f"mean absolute error ({unit}), {windows} test windows of {parameters['dataset']}{built_in}"
    errors = [
        [METHODS[key], *(f"{value:.3f}" for value in mae), _percent(metrics.get(f"test.thd_error.{key}"))]
        for key, mae in rows
    ]
    return ["", head, *table(["", *HARMONICS, "THD"], errors)]


def columns(metrics: Values, all_metrics: Values) -> dict[str, str]:
    """Return the quantised network's error by harmonic, and of the total harmonic distortion."""
    if "test.mae.network" not in metrics:
        return {}
    errors = {name: f"{error:.3f}" for name, error in zip(HARMONICS, metrics["test.mae.network"])}
    return {**errors, "THD": _percent(metrics["test.thd_error.network"])}


def result(metrics: Values) -> str:
    """Return the quantised network's error of the fundamental."""
    return f"{HARMONICS[0]} {metrics['test.mae.network'][0]:.3f}" if "test.mae.network" in metrics else "-"


def _percent(error: float | None) -> str:
    return "-" if error is None else f"{100 * error:.2f} %"
