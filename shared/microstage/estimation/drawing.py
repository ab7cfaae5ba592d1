"""Third step: network and DFT over time as a table on the terminal, a CSV file and a PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microstage import golden
from microstage.estimation.files import DRAWING, NETWORK, TABLE, WINDOWS
from microstage.printable import in_picture
from microstage.signals import thd
from microstage.stage import Job, stage_main

__all__ = ["run", "table"]

_ORDERS = ("H1", "H3", "H5", "H7")
_ROWS = 20


def run(job: Job) -> None:
    given = golden.load(job.inputs["windows"] / WINDOWS)
    network, dft = golden.load(job.inputs["network"] / NETWORK)["amplitude"], given["dft"]
    unit, mains, rate, cycles, missing, left_out = (given[name].item() for name in ("unit", "mains", "rate", "cycles", "missing", "left_out"))
    counted = len(given["time"]) + left_out
    job.log(f"mains {mains:.4f} Hz, {rate:g} samples/s, {missing} samples missing;"
            f" {counted} windows, {left_out} left out for touching missing samples")
    job.log(f"peak values in {unit}; each cell: network / DFT over {cycles} cycles around it\n")
    job.log("\n".join(table(given["time"], network, dft)))
    _write(job.output / TABLE, given["time"], network, dft, unit)
    _draw(job.output / DRAWING, given["time"], network, dft, unit, f"{job.parameters['title']}, {mains:.3f} Hz")


def table(time: np.ndarray, network: np.ndarray, dft: np.ndarray) -> list[str]:
    """A head and at most 20 rows, evenly thinned, first and last among them; amplitudes [n, 4]."""
    shown = np.unique(np.linspace(0, len(time) - 1, min(_ROWS, len(time))).round().astype(int))
    lines = ["".join(["    time/s", *(f"{name:>23}" for name in (*_ORDERS, "THD/%"))])]
    for k in shown:
        pairs = [*zip(network[k], dft[k]), (100 * thd(network[k][None])[0], 100 * thd(dft[k][None])[0])]
        lines.append("".join([f"{time[k]:10.4f}", *(f"{_cell(a):>11} /{_cell(b):>10}" for a, b in pairs)]))
    return lines


def _cell(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "-"


def _write(path: Path, time: np.ndarray, network: np.ndarray, dft: np.ndarray, unit: str) -> None:
    names = [f"{order} {kind} ({unit})" for kind in ("network", "DFT") for order in _ORDERS]
    rows = np.column_stack([time, network, dft])
    np.savetxt(path, rows, fmt="%.9g", delimiter=",", header=",".join(["Time (s)", *names]), comments="")


def _draw(path: Path, time: np.ndarray, network: np.ndarray, dft: np.ndarray, unit: str, title: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(_ORDERS), 1, sharex=True, figsize=(9, 10), constrained_layout=True)
    usual = np.median(np.diff(time)) if len(time) > 1 else 0.0
    breaks = np.flatnonzero(np.diff(time) > 1.5 * usual) + 1  # a line over a gap would claim what was not measured
    t, *curves = (np.insert(values, breaks, np.nan, axis=0) for values in (time, network, dft))
    for k, (axis, order) in enumerate(zip(axes, _ORDERS)):
        for values, name, style in zip(curves, ("network", "DFT"), ("-", "--")):
            axis.plot(t, values[:, k], style, label=name, marker="." if len(time) < 100 else None)
        axis.set_ylabel(f"{order} ({in_picture(unit)})")
        both = np.concatenate([network[:, k], dft[:, k]])
        axis.set_ylim(min(0.0, np.nanmin(both)), 1.1 * np.nanmax(both) or 1.0)
        axis.grid(alpha=0.3)
    axes[0].set_title(in_picture(title))
    axes[0].legend()
    axes[-1].set_xlabel("time (s)")
    figure.savefig(path, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    raise SystemExit(stage_main("estimate-file", run))
