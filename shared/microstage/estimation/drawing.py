"""A picture per channel: the waveform, and below it each harmonic over time; events shaded, axes by percentile."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from microstage.estimation.events import Event
from microstage.estimation.networks import ORDERS
from microstage.estimation.tables import METHODS, ChannelResult
from microstage.untrusted.printable import in_picture

__all__ = ["draw", "limits", "names"]

_STYLES = {
    "full": {"color": "0.55", "linewidth": 3.5},
    "half": {"color": "tab:orange", "linewidth": 1.0},
    "network": {"color": "tab:blue", "linewidth": 1.6},
}
_SHADES = {"step": "tab:purple", "sag": "tab:red", "swell": "tab:green", "interruption": "black", "inrush": "tab:brown"}
_POINTS = 4000  # of a waveform; of a longer one the lowest and highest in each of as many stretches


def names(results: Sequence[ChannelResult]) -> list[str]:
    """Return a file's name for each channel's picture, made of letters that every file system takes."""
    plain = [re.sub(r"[^\w.+-]+", "_", result.name).strip("._")[:60] or "channel" for result in results]
    taken = [name.lower() for name in plain]
    return [f"{name}-{k + 1}" if taken.count(name.lower()) > 1 else name for k, name in enumerate(plain)]


def draw(path: Path, result: ChannelResult, title: str) -> None:
    """Draw the PNG `path`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = {"waveform": 1.6, **dict.fromkeys(ORDERS, 1.0)}
    figure, axes = pyplot.subplots(len(rows), 1, sharex=True, figsize=(10, 11), height_ratios=list(rows.values()))
    figure.subplots_adjust(
        left=0.1, right=0.98, bottom=0.05, top=0.96, hspace=0.12
    )  # a layout that is found costs as much as drawing
    _waveform(axes[0], result)
    for k, (axis, order) in enumerate(zip(axes[1:], ORDERS)):
        _harmonic(axis, result, k)
        axis.set_ylabel(f"{order} ({in_picture(result.unit) or 'as it is'})")
    figure.align_ylabels(axes)
    for axis in axes:
        _shade(axis, result.events)
        axis.grid(alpha=0.3)
    axes[0].set_title(in_picture(title), fontsize="medium")
    axes[1].legend(loc="upper right", ncols=3, fontsize="small")
    axes[-1].set_xlabel("time (s)")
    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)


def limits(curves: Sequence[np.ndarray], inside: np.ndarray, margin: float) -> tuple[float, float]:
    """Return the ends of an axis that shows nine tenths of what `curves` [n] hold.

    It shows all of it `inside` [n] longer events.

    So a glitch flattens nothing. `margin` is what is added to either end, of what lies between.
    """
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    kept = np.concatenate([curve[inside] for curve in curves])
    low = np.nanmin([np.percentile(values, 5, method="lower"), *kept])
    high = np.nanmax([np.percentile(values, 95, method="higher"), *kept])
    beyond = max(margin * (high - low), 0.02 * abs(high)) or 1.0
    return low - beyond, high + beyond


def _waveform(axis: Any, result: ChannelResult) -> None:
    channel = result.steps.channel
    every = time = channel.time(np.arange(len(channel.samples)))
    known = x = np.where(channel.known, channel.samples, np.nan)
    if len(x) > _POINTS:
        count = len(x) // (len(x) // _POINTS)
        parts = np.resize(x, count * (len(x) // count)).reshape(count, -1)
        time = time[: parts.size].reshape(parts.shape).mean(1)
        axis.fill_between(time, parts.min(1), parts.max(1), color="tab:blue", linewidth=0.5)
    else:
        axis.plot(time, x, color="tab:blue", linewidth=0.8)
    axis.set_ylim(*limits([known], _inside(every, result), 0.1))
    axis.set_ylabel(f"{in_picture(result.name)} ({in_picture(result.unit) or 'as it is'})")


def _harmonic(axis: Any, result: ChannelResult, k: int) -> None:
    usual = result.steps.hop / result.steps.channel.mains / 64
    breaks = (
        np.flatnonzero(np.diff(result.time) > 1.5 * usual) + 1
    )  # a line over a gap would claim what was not measured
    for method, style in _STYLES.items():
        values = result.amplitudes[method][:, k]
        time, values = (np.insert(of, breaks, np.nan) for of in (result.time, values))
        axis.plot(time, values, label=METHODS[method], marker="." if len(time) < 40 else None, **style)
    low, high = limits([result.amplitudes[method][:, k] for method in METHODS], _inside(result.time, result), 0.3)
    axis.set_ylim(max(low, 0.0), high)


def _inside(time: np.ndarray, result: ChannelResult) -> np.ndarray:
    """Return which of `time` [n] lie in an event of two cycles or more."""
    long = [event for event in result.events if event.end - event.start >= 2 / result.steps.channel.mains]
    return np.any([(time >= e.start) & (time <= e.end) for e in long], axis=0) if long else np.zeros(len(time), bool)


def _shade(axis: Any, found: Sequence[Event]) -> None:
    top = axis.get_subplotspec().is_first_row()
    for event in found:
        color = _SHADES[event.kind]
        axis.axvspan(event.start, event.end, color=color, alpha=0.15, linewidth=0)
        if top:
            axis.annotate(
                event.kind, ((event.start + event.end) / 2, 0.97), xycoords=("data", "axes fraction"),
                ha="center", va="top", fontsize="small", color=color,
            )  # fmt: skip
