"""Horizontal bars as a PNG, one for each name, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from microstage.untrusted.printable import in_picture

__all__ = ["draw"]


def draw(path: Path, names: Sequence[str], values: Sequence[float], label: str) -> None:
    """Draw `values`, the first on top; equal values give equal bytes. What is zero has no bar."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.25 * len(names)), constrained_layout=True)
    axes.barh(range(len(names)), values)
    axes.set_yticks(range(len(names)), [in_picture(name) for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(in_picture(label))
    if any(value > 0 for value in values):
        axes.set_xscale("log")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)
