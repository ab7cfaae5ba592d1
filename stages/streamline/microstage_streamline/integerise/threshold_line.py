"""Find what the integers behind thresholds of a real input stand for."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError

__all__ = ["threshold_line"]


def threshold_line(table: np.ndarray, low: int, step: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (scale, offset) [channels]: each level low + step k has its value scale * level + offset between its own
    thresholds, t_k <= value < t_(k+1) of the sorted rows of `table` [channels, levels - 1].

    `scale` and no offset where that is such a line; else one of evenly spaced values; `ModelError` where there is none.
    """
    lines = [_line(np.sort(row), low, step, scale) for row in np.asarray(table, np.float64)]
    return tuple(np.array(ends) for ends in zip(*lines))


def _line(row: np.ndarray, low: int, step: int, scale: float) -> tuple[float, float]:
    below, above = np.append(-np.inf, row), np.append(row, np.inf)
    attained, levels = below < above, low + step * np.arange(len(row) + 1)
    below, above, levels = below[attained], above[attained], levels[attained]
    if np.all((below <= scale * levels) & (scale * levels < above)):
        return scale, 0.0
    spread = (row[-1] - row[0]) / (len(row) - 1) / step if len(row) > 1 and row[-1] > row[0] else 1.0
    least, most = np.max(below - spread * levels), np.min(above - spread * levels)
    if least >= most:
        raise ModelError(
            "has thresholds of a real input that are spaced unevenly, so that no scale says what its integers are;"
            " annotate the input with its type of integers"
        )
    return spread, (least + most) / 2
