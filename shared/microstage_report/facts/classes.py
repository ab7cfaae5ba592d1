"""What the integers of a classifier answer: class against class, and the scores of single samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage_report.facts.run import PublishedRun

__all__ = ["confusion", "scores"]

_MOST_CLASSES = 32
_SAMPLES = 12


def confusion(run: PublishedRun) -> dict[str, Any] | None:
    """Return how often each class was answered for each; of the integers, else as the training counted."""
    classes = run.model.get("classes", [])
    if not classes or len(classes) > _MOST_CLASSES:
        return None
    answers, labels = _answers(run), run.vectors.get("label")
    counted = run.metrics.get("test.confusion")
    if answers is not None and labels is not None:
        real = run.samples
        found = answers[real, 0].astype(int) if answers.shape[1] == 1 else answers[real].argmax(axis=1)
        counts = np.zeros((len(classes), len(classes)), int)
        np.add.at(counts, (labels[real].astype(int), found), 1)
        counted = counts.tolist()
    return {"classes": list(classes), "counts": counted} if counted else None


def scores(run: PublishedRun) -> dict[str, Any] | None:
    """Return the scores of the first samples; of many classes, those that are largest somewhere.

    A file of the user's own may be a classifier without saying so: its answers are numbered.
    """
    answers = _answers(run)
    if answers is None or answers.shape[1] < 2:
        return None
    numbered = [str(place) for place in range(answers.shape[1])] if run.called else []
    named = run.model.get("classes") or numbered
    if len(named) != answers.shape[1]:
        return None
    shown = run.samples[:_SAMPLES]
    largest = sorted(np.argsort(-answers[shown].max(axis=0), kind="stable")[:_MOST_CLASSES])
    labels = run.vectors.get("label")
    rows = [
        {"sample": int(sample), "scores": [float(f"{answers[sample, place]:.6g}") for place in largest]}
        | ({} if labels is None else {"expected": named[int(labels[sample])]})
        for sample in shown
    ]
    return {"classes": [named[place] for place in largest], "rows": rows}


def _answers(run: PublishedRun) -> np.ndarray | None:
    """Return the one answer of the integers, in real numbers: samples x classes, or x 1 where it is a class.

    None where there are several, or where an answer has more than one axis.
    """
    outputs = [facts for part in run.parts.values() for facts in part["outputs"].items()]
    if len(outputs) != 1:
        return None
    ((name, facts),) = outputs
    found = run.vectors.get(name)
    if found is None or found.dtype.kind not in "iu" or max(found.shape[1:], default=1) != found[0].size:
        return None
    flat = found.reshape(len(found), -1).astype(float)
    return _real(flat, facts)


def _real(flat: np.ndarray, facts: dict[str, Any]) -> np.ndarray:
    """Return value = scale (integer - zero point) + offset."""
    scale, zero, offset = (facts.get(name) for name in ("scale", "zero_point", "offset"))
    values = (flat - np.ravel(0 if zero is None else zero)) * np.ravel(1.0 if scale is None else scale)
    return values + np.ravel(0.0 if offset is None else offset)
