"""How often each form of a network is right, and how often two of them answer with another class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["figures"]


def figures(labels: np.ndarray, floats: Mapping[str, np.ndarray], integers: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return, of scores [n, classes] by the name of each form, accuracies and how many examples other forms answer
    differently; `differing` counts the scores in which any form in integers differs from the first of them.

    Of equal scores the first counts.
    """
    answers = {name: scores.argmax(1) for name, scores in {**floats, **integers}.items()}
    first = next(iter(integers.values()))
    return {
        "examples": len(labels),
        "forms": [
            {
                "name": name,
                "correct": int((own == labels).sum()),
                "other_class": [int((own != theirs).sum()) for theirs in answers.values()],
            }
            for name, own in answers.items()
        ],
        "integers": list(integers),
        "compared": int(first.size),
        "differing": int(np.any([scores != first for scores in integers.values()], axis=0).sum()),
    }
