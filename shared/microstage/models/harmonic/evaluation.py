"""Errors on the test sources, in the recording's unit, beside the textbook estimators on the same windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from microstage.errors import ParameterError
from microstage.models.training import Splits, predict
from microstage.signals import half_cycle_dft, least_squares_odd, nearest_neighbour, ridge, thd

__all__ = ["evaluate"]

_LARGEST_THD = 10.0  # an answer whose fundamental is lost has no distortion worth telling apart
_LEAST = 1e-12  # of the largest fundamental: answers below it have no distortion either


def evaluate(data: Splits, unit: str, steps: int, network: nn.Module, twin: nn.Module) -> dict[str, Any]:
    """{"test.mae.<method>": [H1, H3, H5, H7], "test.r2.<method>", "test.thd_error.<method>", ...} of every method.

    `test.by_source`: {source: {"windows", "amplitude", "methods": {method: {"mae", "worst", "thd_error"}}}}.
    """
    windows, truth = data.test.source.windows, data.test.source.truth
    answers = {
        "network": _behind(steps, network, data.test),
        "float": _behind(steps, twin, data.test),
        **_textbook(data),
    }
    metrics: dict[str, Any] = {"test.windows": len(windows), "test.unit": unit}
    for name, answer in answers.items():
        metrics |= {f"test.{kind}.{name}": value for kind, value in _errors(answer, truth).items()}
    metrics["test.by_source"] = {
        source: {
            "windows": int(rows.sum()),
            "amplitude": _rounded(truth[rows].mean(0)),
            "methods": {name: _of_source(answer[rows], truth[rows]) for name, answer in answers.items()},
        }
        for source in sorted(set(data.test.source.source.tolist()))
        for rows in [data.test.source.source == source]
    }
    return metrics


def _behind(steps: int, network: nn.Module, test) -> np.ndarray:
    """Amplitudes [n, 4] after so many steps."""
    relative = predict(network, tuple(values[:, :steps] for values in test.inputs))
    return relative[:, -1].numpy().astype(np.float64) * test.gain[:, steps - 1]


def _textbook(data: Splits) -> dict[str, np.ndarray]:
    """Amplitudes [n, 4] of each estimator that has an answer for windows of this length; those that learn do so from recordings alone."""
    x, train, held_out = data.test.source.windows, data.train.source.recorded, data.validation.source
    answers = {}
    for name, method in (("half_cycle_dft", half_cycle_dft), ("least_squares", least_squares_odd)):
        try:
            answers[name] = method(x)
        except ParameterError:  # the window is shorter than the method needs: it has no answer
            continue
    answers["ridge"] = ridge((train.windows, train.coefficients), (held_out.windows, held_out.coefficients), x)
    answers["nearest_neighbour"] = nearest_neighbour((train.windows, train.truth), x)
    return answers


def _of_source(answer: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    error = np.abs(answer - truth)
    return {"mae": _rounded(error.mean(0)), "worst": _rounded(error.max(0)), "thd_error": _thd_error(answer, truth)}


def _errors(answer: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    spread = ((truth - truth.mean(0)) ** 2).sum(0)
    r2 = 1 - ((answer - truth) ** 2).sum(0) / np.maximum(spread, 1e-30)
    return {"mae": _rounded(np.abs(answer - truth).mean(0)), "r2": _rounded(r2), "thd_error": _thd_error(answer, truth)}


def _thd_error(answer: np.ndarray, truth: np.ndarray) -> float:
    heard = truth[:, 0] > 0.01 * truth[:, 0].max()  # of an idle load the distortion says nothing
    found = np.minimum(thd(np.maximum(answer[heard], _LEAST * truth[:, 0].max())), _LARGEST_THD)
    return _rounded([np.abs(found - thd(truth[heard])).mean()])[0]


def _rounded(values) -> list[float]:
    """Nine digits: what is printed must not hang on the last bit of a sum."""
    return [float(f"{value:.9g}") for value in values]
