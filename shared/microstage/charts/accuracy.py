"""One PNG per harmonic: mean absolute error of each method on each source, logarithmic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from microstage.printable import in_picture
from microstage.stage import Job, stage_main

__all__ = ["run"]


def run(job: Job) -> None:
    pooled = json.loads((job.inputs["pooled"] / "pooled.json").read_text())
    for index, harmonic in enumerate(pooled["harmonics"]):
        _draw(job.output / f"{harmonic}.png", harmonic, index, pooled)


def _draw(path: Path, harmonic: str, index: int, pooled: dict[str, Any]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sources, methods = pooled["sources"], pooled["methods"]
    figure, axis = pyplot.subplots(figsize=(9, 0.45 * len(sources) + 1.8), constrained_layout=True)
    rows = np.arange(len(sources))
    for method, label in reversed(methods):
        errors = [source["methods"][method]["mae"][index] for source in sources.values()]
        first = method == methods[0][0]
        axis.scatter(errors, rows, label=label, marker="D" if first else "o", s=70 if first else 30, zorder=3 if first else 2)
    axis.plot([source["amplitude"][index] for source in sources.values()], rows, "k|", markersize=14, label="amplitude: lost beyond")
    axis.set(xscale="log", title=harmonic, xlabel=f"mean absolute error, peak value in {in_picture(pooled['unit'])}")
    axis.set_yticks(rows, [f"{in_picture(name)} ({source['windows']})" for name, source in sources.items()])
    axis.invert_yaxis()
    axis.grid(alpha=0.3)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    raise SystemExit(stage_main("accuracy", run))
