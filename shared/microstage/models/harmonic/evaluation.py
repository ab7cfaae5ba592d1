"""Errors on waveforms that the network never saw, in their unit, beside the textbook's on the same windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.datasets.power.loading import Waveforms
from microstage.datasets.power.sequences import Sequences
from microstage.datasets.power.stress import CONDITIONS, STEP, stressed
from microstage.models.harmonic.answers import Methods
from microstage.signals import thd

__all__ = ["evaluate"]

_LARGEST_THD = 10.0  # an answer whose fundamental is lost has no distortion worth telling apart
_LEAST = 1e-12  # of the largest fundamental: answers below it have no distortion either
_AFTER = (1, 2, 4, 8)  # steps
_BEHIND = 4  # steps
_STRESSED = 256  # sequences of each condition
_SHARES = np.linspace(0, 1, 51)  # of which the error is told: how many lie within any limit follows from it
_SETTLED = 0.05  # of the fundamental's new amplitude


def evaluate(data: Waveforms, methods: Methods, channel: str, frequency: int) -> dict[str, Any]:
    """Return {"test.mae.<method>": [H1, H3, H5, H7], "test.r2.<method>", "test.thd_error.<method>"} of the window, and

    `test.by_source`: {source: {"windows", "amplitude", "methods": {method: {"mae", "worst", "thd_error"}}}}.
    `test.after`: {steps since the start: {method: mae}} on steady sequences.
    `test.behind`: {steps since one that held a change: {method: mae}}.
    `test.stress`: [{"condition", "amplitude", "methods": {method: {"mae"}}}]; of network and DFT also "errors" [4, 51],
    their quantiles.
    Steps of other lengths than half a cycle do not go on: nothing is told of what comes after the first.
    `test.response`: {method: {"mean", "worst", "settled"}}: samples until the fundamental stays within 5 %.
    """
    truth, source = data.test.truth[:, methods.steps - 1], data.test.source
    answers = methods.of_windows(data.test)
    metrics: dict[str, Any] = {"test.windows": len(truth), "test.unit": data.unit}
    for name, answer in answers.items():
        metrics |= {f"test.{kind}.{name}": value for kind, value in _errors(answer, truth).items()}
    metrics["test.by_source"] = {
        name: {
            "windows": int(rows.sum()),
            "amplitude": _rounded(truth[rows].mean(0)),
            "methods": {method: _of_source(answer[rows], truth[rows]) for method, answer in answers.items()},
        }
        for name in sorted(set(source.tolist()))
        for rows in [source == name]
    }
    stress, response = _stress(methods, data.test.windows.shape[1:], channel, frequency)
    after, behind = (_after(data.test, methods), _behind(data.stepped, methods)) if methods.goes_on else ({}, {})
    return {
        **metrics, "test.after": after, "test.behind": behind, "test.stress": stress, "test.response": response,
    }  # fmt: skip


def _after(test: Sequences, methods: Methods) -> dict[str, Any]:
    answers, truth = methods.stepping(test), test.truth
    return {str(n): _means(answers, truth, (slice(None), n - 1)) for n in _AFTER if n <= truth.shape[1]}


def _behind(stepped: Sequences, methods: Methods) -> dict[str, Any]:
    """Return the first steps that are wholly behind the change; those of sequences that end before are left out."""
    answers, truth = methods.stepping(stepped), stepped.truth
    first = -(-stepped.changed // stepped.windows.shape[2])
    told = {}
    for n in range(1, _BEHIND + 1):
        rows = np.flatnonzero(first + n <= truth.shape[1])
        if len(rows):
            told[str(n)] = _means(answers, truth, (rows, first[rows] + n - 1))
    return told


def _means(answers: dict[str, np.ndarray], truth: np.ndarray, place: tuple) -> dict[str, list[float]]:
    return {name: _rounded(np.abs(answer[place] - truth[place]).mean(0)) for name, answer in answers.items()}


def _stress(methods: Methods, shape: tuple[int, int], channel: str, frequency: int) -> tuple[list[Any], dict[str, Any]]:
    rng = np.random.Generator(np.random.PCG64(0))
    told: list[dict[str, Any]] = []
    response: dict[str, Any] = {}
    for condition in CONDITIONS:
        tried = stressed(condition, _STRESSED, *shape, rng, channel, frequency)
        if condition != STEP:
            answers = {**methods.beside_the_estimator(tried), "interpolated_dft": methods.ceiling(tried)}
            truth = tried.truth[:, methods.steps - 1]
        elif methods.goes_on:
            answers, truth, response = _behind_the_step(methods, tried)
        else:
            continue
        told.append({"condition": condition, "amplitude": _rounded(truth.mean(0)), "methods": _judged(answers, truth)})
        for name in ("network", methods.estimator):
            told[-1]["methods"][name]["errors"] = _quantiles(np.abs(answers[name] - truth))
    return told, response


def _judged(answers: dict[str, np.ndarray], truth: np.ndarray) -> dict[str, Any]:
    return {name: {"mae": _rounded(np.abs(answer - truth).mean(0))} for name, answer in answers.items()}


def _behind_the_step(methods: Methods, tried: Sequences) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, Any]]:
    """Return (answers [n, 4] of the first step wholly behind the change, their truth, the response of each method)."""
    answers, length = methods.stepping(tried), tried.windows.shape[2]
    rows, first = np.arange(len(tried)), -(-tried.changed // length)
    response = {name: _response(answer[..., 0], tried) for name, answer in answers.items()}
    return {name: answer[rows, first] for name, answer in answers.items()}, tried.truth[rows, first], response


def _response(fundamental: np.ndarray, tried: Sequences) -> dict[str, float]:
    """Return samples from the change to the end of the first step from which on all answers are within 5 %."""
    length = tried.windows.shape[2]
    final = tried.truth[:, -1:, 0]
    outside = np.abs(fundamental - final) > _SETTLED * final
    settled = np.where(outside, np.arange(1, outside.shape[1] + 1), 0).max(1)  # steps, all of which are over then
    samples = np.maximum((settled + 1) * length - tried.changed, 0)[settled < outside.shape[1]]
    known = {"mean": samples.mean(), "worst": samples.max()} if len(samples) else {}
    return {name: _rounded([value])[0] for name, value in {**known, "settled": len(samples) / len(tried)}.items()}


def _quantiles(error: np.ndarray) -> list[list[float]]:
    return [_rounded(column, 3) for column in np.quantile(error, _SHARES, axis=0).T]


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


def _rounded(values, digits: int = 9) -> list[float]:
    """Return nine digits of each: what is printed must not hang on the last bit of a sum."""
    return [float(f"{value:.{digits}g}") for value in values]
