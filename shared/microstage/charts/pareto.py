"""A picture of `comparison.json`: what each run costs against how well it does, and those that none beats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microstage.stage import Job, stage_main
from microstage.untrusted.printable import in_picture

__all__ = ["draw", "run"]

_LONGEST = 40  # characters beside a point


def run(job: Job) -> None:
    draw(job.output / "pareto.png", json.loads((job.inputs["compared"] / "comparison.json").read_text()))


def draw(path: Path, found: Mapping[str, Any]) -> None:
    """Draw a point for each run, and a line through those of the front; equal values give equal bytes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pareto, runs = found["pareto"], found["runs"]
    figure, axes = pyplot.subplots(figsize=(9, 6), constrained_layout=True)
    places = {run["id"]: (run["figures"][pareto["x"]], run["figures"][pareto["y"]]) for run in runs}
    axes.scatter(*zip(*places.values()), color="tab:grey", label="run", zorder=2)
    front = sorted(places[name] for name in pareto["front"])
    axes.plot(*zip(*front), "o-", color="tab:blue", label="no other run is better in both", zorder=3)
    for place in dict.fromkeys(places.values()):
        there = [_title(run) for run in runs if places[run["id"]] == place]
        more = f" and {len(there) - 1} more" if there[1:] else ""
        axes.annotate(there[0] + more, place, xytext=(5, 5), textcoords="offset points", fontsize=8)
    better = "higher" if pareto["higher"] else "lower"
    axes.set(xlabel=in_picture(pareto["x"]), ylabel=f"{in_picture(pareto['y'])} ({better} is better)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)


def _title(run: Mapping[str, Any]) -> str:
    text = ", ".join(f"{name}={value}" for name, value in run["parameters"].items())
    return in_picture(text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...")


if __name__ == "__main__":
    raise SystemExit(stage_main("pareto", run))
