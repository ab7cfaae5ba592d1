"""A confusion matrix as a PNG: a row per true class, shares of the row as shades, counts as figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microstage.untrusted.printable import in_picture

__all__ = ["draw"]


def draw(path: Path, classes: Sequence[str], counts: np.ndarray, title: str) -> None:
    """Draw `counts` [true, found]; equal counts give equal bytes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    share, names = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), [in_picture(name) for name in classes]
    figure, axes = pyplot.subplots(figsize=(1.5 + 0.55 * len(classes), 1.5 + 0.5 * len(classes)))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axes.text(
                column,
                row,
                str(count),
                ha="center",
                va="center",
                fontsize=7,
                color="white" if share[row, column] > 0.5 else "black",
            )
    axes.set_xticks(range(len(classes)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(classes)), names)
    axes.set(xlabel="found", ylabel="spoken")
    axes.set_title(in_picture(title), fontsize=8, wrap=True)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
