"""What is told of a network whose answers are classes.

The metrics of its test examples, which the runner's tables read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["classification_metrics"]


def classification_metrics(names: Sequence[str], wanted: np.ndarray, found: np.ndarray, origin: str) -> dict[str, Any]:
    """Return Top-1 accuracy, overall and per class, and the confusion matrix [wanted, found].

    Both [n] places in `names`.

    `origin` says in words what was trained on and tested on. A class without an example has accuracy 0.
    """
    confusion = np.zeros((len(names), len(names)), int)
    np.add.at(confusion, (wanted, found), 1)
    share = np.diag(confusion) / np.maximum(confusion.sum(1), 1)
    return {
        "test.accuracy": _rounded(np.diag(confusion).sum() / len(wanted)),
        "test.examples": len(wanted),
        "test.origin": origin,
        "test.accuracy_of": {name: _rounded(value) for name, value in zip(names, share)},
        "test.confusion": confusion.tolist(),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")
