"""A picture of `explain.json`: signal over noise of every layer, and what each adds to the error of one sample."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from microstage.stage import Job, stage_main
from microstage.untrusted.printable import in_picture

__all__ = ["draw", "run"]

_LONGEST = 40  # characters of a layer's name


def run(job: Job) -> None:
    draw(job.output / "explain.png", json.loads((job.inputs["explained"] / "explain.json").read_text()))


def draw(path: Path, found: Mapping[str, Any]) -> None:
    """Draw a row for each layer, the first on top; equal values give equal bytes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    layers, sample = found["layers"], found["sample"]
    size = 11, 1.8 + 0.24 * len(layers)
    figure, (noise, shares) = pyplot.subplots(1, 2, figsize=size, sharey=True, constrained_layout=True)
    for field, label in (("by_itself_db", "by itself"), ("so_far_db", "so far")):
        known = [(layer[field], row) for row, layer in enumerate(layers) if layer[field] is not None]
        noise.plot([value for value, _ in known], [row for _, row in known], "o-", markersize=4, label=label)
    noise.set_xlabel("signal over quantisation noise, dB")
    noise.legend(fontsize=8)
    _bars(shares, [100 * layer["share"] for layer in sample["layers"]])
    shares.set_xlabel(f"share of the error of sample {sample['index']}, percent")
    noise.set_yticks(range(len(layers)), [_short(layer["layer"]) for layer in layers], fontsize=8)
    noise.set_ylim(len(layers) - 0.5, -0.5)
    for axes in (noise, shares):
        axes.grid(alpha=0.3)
    title = f"{found['network']}: integers beside floats, {found['seen']} samples"
    figure.suptitle(in_picture(title), fontsize=10)
    figure.savefig(path, dpi=80, metadata={"Software": None})
    pyplot.close(figure)


def _bars(axes: Any, values: Sequence[float]) -> None:
    """Draw the largest one in another colour."""
    largest = max(range(len(values)), key=values.__getitem__)
    axes.barh(range(len(values)), values, color=["C3" if row == largest else "C0" for row in range(len(values))])


def _short(name: str) -> str:
    return in_picture(name if len(name) <= _LONGEST else f"{name[: _LONGEST // 2]}...{name[-_LONGEST // 2 :]}")


if __name__ == "__main__":
    raise SystemExit(stage_main("explain", run))
