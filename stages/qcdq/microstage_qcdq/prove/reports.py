"""What runs on freely, each side from its own integers: figures, not conditions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from microstage.stage import Job
from microstage_qcdq.prove.proof import session

__all__ = ["report_answers", "report_errors", "stepped"]


def report_answers(job: Job, exact: np.ndarray, found: np.ndarray, recorded: Mapping[str, np.ndarray]) -> None:
    """Report how often the classes [n] are right, and how often the composed model's differ."""
    found, rows = found.reshape(exact.shape), recorded["real"].astype(bool)
    job.metric("golden.answers", int(rows.sum()))
    job.metric("golden.accuracy.reference", float(f"{np.mean((exact == recorded['label'])[rows]):.9g}"))
    job.metric("golden.accuracy.composed", float(f"{np.mean((found == recorded['label'])[rows]):.9g}"))
    job.metric("free_running.composed.answers_differing", int(np.count_nonzero(found != exact)))


def report_errors(job: Job, exact: np.ndarray, found: np.ndarray, recorded: Mapping[str, np.ndarray]) -> None:
    """Report the same of answers [n, ...] that are estimates.

    Their errors, and how far the composed model's are away.
    """
    found = found.astype(np.float64)
    job.metric("free_running.composed.max_relative_difference", float(f"{_relative(found, exact):.3g}"))
    truth, rows = recorded["truth"], recorded["real"].astype(bool)
    if truth.shape == exact.shape:
        for side, answers in (("reference", exact), ("composed", found)):
            errors = np.abs(answers[rows] - truth[rows]).reshape(-1, truth.shape[-1]).mean(0)
            job.metric(f"golden.mae.{side}", [float(f"{v:.6g}") for v in errors])


def stepped(step: onnx.ModelProto, windows: np.ndarray) -> np.ndarray:
    """Return what the composed `step` answers to `windows` [n, L, S], one after the other from zero: [n, L, k]."""
    run, kinds = session(step), {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(int32)": np.int32}
    window, *states = run.get_inputs()
    state = {value.name: np.zeros((len(windows), *value.shape[1:]), kinds[value.type]) for value in states}
    answers = []
    for t in range(windows.shape[1]):
        answer, *after = run.run(None, {window.name: windows[:, t], **state})
        state = dict(zip(state, after))
        answers.append(answer)
    return np.stack(answers, axis=1)


def _relative(found: np.ndarray, exact: np.ndarray) -> float:
    found, exact = found.reshape(len(exact), -1), exact.reshape(len(exact), -1)
    return float((np.abs(found - exact) / np.maximum(np.abs(exact).max(axis=1, keepdims=True), 1e-30)).max())
