"""A picture of each table of `make accuracy`; the network is drawn largest, and on top."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from microstage.stage import Job, stage_main
from microstage.untrusted.printable import in_picture

__all__ = ["run"]

_FLOOR = 1e-4  # of the unit: what is exact is drawn here
_TITLES = {"after": "half cycles from the start", "behind": "half cycles behind a step"}

Found = Mapping[str, Any]


def run(job: Job) -> None:
    import matplotlib

    matplotlib.use("Agg")
    found = json.loads((job.inputs["pooled"] / "pooled.json").read_text())
    for index, harmonic in enumerate(found["harmonics"]):
        _of_sources(job.output / f"{harmonic}.png", harmonic, index, found)
    _of_methods(job.output / "methods.png", found)
    for kind in _TITLES:
        if found[kind]:
            _of_steps(job.output / f"{kind}.png", kind, found)
    _of_stress(job.output / "stress.png", found)
    _of_limits(job.output / "limits.png", found)


def _of_sources(path: Path, harmonic: str, index: int, found: Found) -> None:
    """Draw the errors on each source, a row each."""
    sources = found["sources"]
    figure, axis = _rows([f"{in_picture(name)} ({source['windows']})" for name, source in sources.items()])
    for method in _shared(found, (source["methods"] for source in sources.values())):
        _points(axis, [source["methods"][method]["mae"][index] for source in sources.values()], method, found)
    amplitudes = [max(source["amplitude"][index], _FLOOR) for source in sources.values()]
    axis.plot(amplitudes, range(len(sources)), "k|", markersize=14, label="amplitude: lost beyond")
    _finish(path, figure, axis, harmonic, found)


def _of_methods(path: Path, found: Found) -> None:
    """Draw the errors of every method on all windows, a row each and a mark for each harmonic."""
    sources, labels = found["sources"], dict(found["labels"])
    methods = _shared(found, (source["methods"] for source in sources.values()))
    weights = [source["windows"] for source in sources.values()]
    figure, axis = _rows([labels[method] for method in methods])
    for index, harmonic in enumerate(found["harmonics"]):
        errors = [
            np.average([s["methods"][m]["mae"][index] for s in sources.values()], weights=weights) for m in methods
        ]
        axis.scatter(np.maximum(errors, _FLOOR), range(len(methods)), label=harmonic)
    _finish(path, figure, axis, "every method, same windows", found)


def _of_steps(path: Path, kind: str, found: Found) -> None:
    """Draw the errors over steps, a panel for each harmonic."""
    from matplotlib import pyplot

    steps = found[kind]
    figure, axes = pyplot.subplots(1, len(found["harmonics"]), figsize=(13, 4), constrained_layout=True)
    for index, (axis, harmonic) in enumerate(zip(axes, found["harmonics"])):
        for method in _shared(found, steps.values()):
            errors = [max(errors[method][index], _FLOOR) for errors in steps.values()]
            width, front = (3, 3) if method == "network" else (1, 2)
            axis.plot(
                list(map(int, steps)),
                errors,
                "o-",
                linewidth=width,
                markersize=2 * width + 2,
                label=dict(found["labels"])[method],
            )
        axis.set(yscale="log", title=harmonic, xlabel=_TITLES[kind], xticks=list(map(int, steps)))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"mean absolute error, peak value in {in_picture(found['unit'])}")
    axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    _save(path, figure)


def _of_stress(path: Path, found: Found) -> None:
    """Draw the errors under each condition, a row each, a panel for each harmonic."""
    from matplotlib import pyplot

    stress = dict(found["stress"])
    figure, axes = pyplot.subplots(1, len(found["harmonics"]), figsize=(14, 5), sharey=True, constrained_layout=True)
    for index, (axis, harmonic) in enumerate(zip(axes, found["harmonics"])):
        for method in _shared(found, stress.values(), any):
            rows = [(of[method]["mae"][index], row) for row, of in enumerate(stress.values()) if method in of]
            _points(axis, [error for error, _ in rows], method, found, [row for _, row in rows])
        axis.set(xscale="log", title=harmonic, xlabel=f"mean absolute error, {in_picture(found['unit'])}")
        axis.grid(alpha=0.3)
    axes[0].set_yticks(range(len(stress)), list(stress))
    axes[0].invert_yaxis()
    axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    _save(path, figure)


def _of_limits(path: Path, found: Found) -> None:
    """Draw the share of windows within each class of IEC 61000-4-7.

    A grid of condition and harmonic for each method.
    """
    from matplotlib import pyplot

    stress, harmonics = dict(found["stress"]), found["harmonics"]
    judged = [m for m in _shared(found, stress.values()) if all("within" in told[m] for told in stress.values())]
    panels = [(method, of_class) for of_class in ("I", "II") for method in judged]
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(3.2 * len(panels) + 2, 5), sharey=True, constrained_layout=True
    )
    for axis, (method, of_class) in zip(axes, panels):
        shares = 100 * np.array([of[method]["within"][of_class] for of in stress.values()])
        axis.imshow(shares, vmin=0, vmax=100, cmap="RdYlGn", aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            axis.text(column, row, f"{share:.0f}", ha="center", va="center")
        axis.set(title=f"{dict(found['labels'])[method]}, class {of_class}")
        axis.set_xticks(range(len(harmonics)), harmonics)
    axes[0].set_yticks(range(len(stress)), list(stress))
    figure.suptitle(
        f"percent of windows within IEC 61000-4-7, {found['nominal']:g} {in_picture(found['unit'])} nominal"
    )
    _save(path, figure)


def _shared(found: Found, parts: Iterable[Found], needed: Callable[[Iterable[bool]], bool] = all) -> list[str]:
    """Return the methods that all parts have, or any, the network first."""
    parts = list(parts)
    return [method for method, _ in found["labels"] if needed(method in part for part in parts)]


def _rows(names: Sequence[str]) -> tuple[Any, Any]:
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(9, 0.45 * len(names) + 1.8), constrained_layout=True)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    return figure, axis


def _points(axis: Any, errors: Sequence[float], method: str, found: Found, rows: Sequence[int] | None = None) -> None:
    first = method == "network"
    where = range(len(errors)) if rows is None else rows
    axis.scatter(
        np.maximum(errors, _FLOOR), where, label=dict(found["labels"])[method],
        marker="D" if first else "o", s=70 if first else 30, zorder=3 if first else 2,
    )  # fmt: skip


def _finish(path: Path, figure: Any, axis: Any, title: str, found: Found) -> None:
    axis.set(xscale="log", title=title, xlabel=f"mean absolute error, peak value in {in_picture(found['unit'])}")
    axis.grid(alpha=0.3)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    _save(path, figure)


def _save(path: Path, figure: Any) -> None:
    from matplotlib import pyplot

    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)


if __name__ == "__main__":
    raise SystemExit(stage_main("accuracy", run))
