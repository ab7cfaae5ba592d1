"""What a person reads on the terminal: a table per channel, a summary, events; columns keep apart at any magnitude."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from microstage.estimation.events import Event
from microstage.estimation.networks import ORDERS
from microstage.estimation.steps import Steps
from microstage.signals import thd

__all__ = ["METHODS", "ChannelResult", "aligned", "listing", "summary", "table"]

METHODS = {"network": "network", "half": "half cycle", "full": "full DFT"}
_ROWS = 48
_MOST, _LEAST = 20, 6


class ChannelResult:
    """A channel, estimated: {method: peak amplitudes [n, 4]} over `time` [n], and its events."""

    def __init__(self, steps: Steps, network: np.ndarray, found: Sequence[Event]) -> None:
        source = steps.channel.source
        self.name, self.unit, self.kind = source.name, source.unit, source.kind
        self.steps, self.time, self.events = steps, steps.time, found
        self.amplitudes = {"network": network, "half": steps.half, "full": steps.full}

    def error(self, method: str) -> np.ndarray:
        """Return mean absolute difference [4] from the full-window DFT; NaN where that is nowhere known."""
        differences = np.abs(self.amplitudes[method] - self.amplitudes["full"])
        known = np.isfinite(differences).all(-1)
        return differences[known].mean(0) if known.any() else np.full(len(ORDERS), np.nan)

    def distortion(self, method: str) -> float:
        """Return the THD in % of H1, of H3, H5 and H7, the mean over time; NaN where there is no H1."""
        values = thd(self.amplitudes[method])
        known = np.isfinite(values)
        return 100 * float(values[known].mean()) if known.any() else float("nan")


def table(result: ChannelResult, channels: int) -> list[str]:
    """Return rows evenly thinned, first and last among them: 20, or fewer where there are many `channels`."""
    count, most = len(result.time), max(_LEAST, min(_MOST, _ROWS // channels))
    shown = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))
    columns = [["", "time/s", *(f"{t:.4f}" for t in result.time[shown])]]
    for k, order in enumerate(ORDERS):
        values = np.stack([result.amplitudes[method][:, k] for method in METHODS])
        digits = _digits(values)
        columns.append([""] * (2 + len(shown)))
        for head, (method, name) in zip((order, "", ""), METHODS.items()):
            columns.append([head, name, *(_number(v, digits) for v in result.amplitudes[method][shown, k])])
    return aligned(columns, left=())


def summary(results: Sequence[ChannelResult]) -> list[str]:
    """Return a row per channel.

    How far network and half-cycle DFT are from the full-window DFT, and the THD of each.
    """
    columns = [["", "channel", *(r.name for r in results)], ["", "unit", *(r.unit or "-" for r in results)]]
    for k, order in enumerate(ORDERS):
        columns.append([""] * (2 + len(results)))
        for head, method in zip((order, ""), ("network", "half")):
            errors = [r.error(method)[k] for r in results]
            columns.append([head, METHODS[method], *(_number(e, _digits(np.array(e))) for e in errors)])
    columns.append([""] * (2 + len(results)))
    for head, (method, name) in zip(("THD/%", "", ""), METHODS.items()):
        columns.append([head, name, *(_number(r.distortion(method), 2) for r in results)])
    return aligned(columns, left=(0, 1))


def listing(results: Sequence[ChannelResult]) -> list[str]:
    """Return a line per event."""
    found = [(event, result.name) for result in results for event in result.events]
    found.sort(key=lambda pair: pair[0].start)
    columns = zip(*([f"{e.start:.4f} s", f"to {e.end:.4f} s", name, e.kind, e.said] for e, name in found))
    return aligned([list(column) for column in columns], left=(2, 3, 4)) if found else []


def aligned(columns: Sequence[Sequence[str]], left: Sequence[int]) -> list[str]:
    """Return lines of `columns` as wide as their widest cells, two blanks between; those in `left` are flush left."""
    widths = [max(map(len, column)) for column in columns]
    cells = [
        [cell.ljust(width) if place in left else cell.rjust(width) for cell in column]
        for place, (column, width) in enumerate(zip(columns, widths))
    ]
    return ["  ".join(row).rstrip() for row in zip(*cells)]


def _digits(values: np.ndarray) -> int | None:
    """Return the digits behind the point, so that the largest of `values` has four.

    None where an exponent is better.
    """
    largest = np.max(np.abs(values), initial=0.0, where=np.isfinite(values))
    if not largest:
        return 3
    leading = int(np.floor(np.log10(largest)))
    return max(3 - leading, 0) if -6 <= leading <= 8 else None


def _number(value: float, digits: int | None) -> str:
    if not np.isfinite(value):
        return "-"
    return f"{value:.3e}" if digits is None else f"{value:.{digits}f}"
