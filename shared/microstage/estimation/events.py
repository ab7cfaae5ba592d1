"""Steps, sags, swells, interruptions and inrush in a channel; docs/estimating-a-recording.md has the rules' sources.

Everything is read from one cycle, looked at anew each half cycle, as IEC 61000-4-30 does with U_rms(1/2): its rms
value, and its mean, H1 and H2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from microstage.estimation.record import Synchronous
from microstage.estimation.steps import HALF
from microstage.signals import SAMPLES_PER_CYCLE, windows

__all__ = ["Event", "events", "rms_of_cycles"]

_LOW, _HIGH, _HYSTERESIS = 0.90, 1.10, 0.02  # IEC 61000-4-30, 5.4 and 5.5: of the reference
_GONE = 0.10  # an interruption (IEEE 1159)
_ON = 0.10  # of the largest value: half cycles below it are of a channel that is switched off
_STEP = 0.10  # of the reference, between the two cycles before and behind it
_SIDE = 4  # half cycles to either side of a step: those two cycles
_AT_ONCE = 0.6  # of a step's height within one cycle; what takes longer is a drift
_UNLIKE = 0.15  # decaying DC or H2 over H1: what restrains a transformer's differential relay (IEEE C37.91: 15 to 20 %)
_LEAST = 4  # half cycles that an inrush lasts
_DECAYED = 0.8  # of its greatest, in the second half of an inrush
_FUNDAMENTAL = 0.5  # of its power is the mains in a channel that is more than noise


@dataclass(frozen=True)
class Event:
    """What happened from `start` to `end` (s), and in a few words how much."""

    kind: str
    start: float
    end: float
    said: str


@dataclass(frozen=True)
class _Cycles:
    """[n] each, a half cycle apart, NaN where samples are missing: the middle's time in s; rms value over the
    reference; the larger of mean and H2, over H1."""

    time: np.ndarray
    level: np.ndarray
    unlike: np.ndarray

    def event(self, kind: str, first: int, behind: int, said: str) -> Event:
        """Return the event from cycle `first` up to the one before `behind`.

        Each stands for the half cycle around its middle.
        """
        half = (self.time[-1] - self.time[0]) / max(len(self.time) - 1, 1)
        last = min(behind, len(self.time)) - 1
        return Event(kind, float(self.time[first] - half / 2), float(self.time[last] + half / 2), said)


def events(channel: Synchronous) -> list[Event]:
    """Return the events in the order in which they begin."""
    cycles = _cycles(channel)
    if cycles is None:
        return []
    inrush = list(_inrush(cycles)) if channel.source.kind != "voltage" else []
    excursions = [e for e in _excursions(cycles, whole=channel.source.kind == "voltage") if not _touches(e, inrush)]
    steps = [e for e in _steps(cycles) if not _touches(e, [*inrush, *excursions])]
    return sorted([*inrush, *excursions, *steps], key=lambda event: event.start)


def rms_of_cycles(samples: np.ndarray) -> np.ndarray:
    """Return U_rms(1/2): the rms value [n] of each cycle of `samples` [L], a half cycle apart."""
    return np.sqrt((windows(samples, SAMPLES_PER_CYCLE, HALF) ** 2).mean(-1))


def _cycles(channel: Synchronous) -> _Cycles | None:
    """Return the cycles of a channel; None for one of less than a cycle, or without a fundamental to speak of."""
    if len(channel.samples) < SAMPLES_PER_CYCLE:
        return None
    known = windows(channel.known, SAMPLES_PER_CYCLE, HALF).all(-1)
    rms = np.where(known, rms_of_cycles(channel.samples), np.nan)
    lines = np.fft.rfft(windows(channel.samples, SAMPLES_PER_CYCLE, HALF), axis=-1)[:, :3] / SAMPLES_PER_CYCLE
    mean, first, second = np.abs(lines).T * np.array([[1.0], [2.0], [2.0]])
    largest = np.nanmax(rms, initial=0.0)
    on = known & (rms >= _ON * largest)
    if not largest or np.median((first[on] ** 2 / 2) / rms[on] ** 2) < _FUNDAMENTAL:
        return None
    reference = np.median(rms[on])
    unlike = np.where(known, np.maximum(mean, second) / np.maximum(first, _ON * first[on].max()), np.nan)
    return _Cycles(channel.time(np.arange(len(rms)) * HALF + (SAMPLES_PER_CYCLE - 1) / 2), rms / reference, unlike)


def _runs(values: np.ndarray, enter: float, leave: float) -> Iterator[tuple[int, int]]:
    """Yield (first, behind the last) of each stretch from above `enter` to at or below `leave`; NaN changes nothing."""
    first = None
    for place, value in enumerate(values):
        if first is None and value > enter:
            first = place
        elif first is not None and value <= leave:
            yield first, place
            first = None
    if first is not None:
        yield first, len(values)


def _excursions(cycles: _Cycles, whole: bool) -> Iterator[Event]:
    """Yield sags and swells that come back; with `whole` also those that the record begins or ends in, else steps."""
    for first, behind in _runs(-cycles.level, -_LOW, -_LOW - _HYSTERESIS):
        if whole or _comes_back(cycles, first, behind):
            lowest = np.nanmin(cycles.level[first:behind])
            yield cycles.event(
                "interruption" if lowest < _GONE else "sag", first, behind, f"down to {100 * lowest:.0f} %"
            )
    for first, behind in _runs(cycles.level, _HIGH, _HIGH - _HYSTERESIS):
        if whole or _comes_back(cycles, first, behind):
            yield cycles.event("swell", first, behind, f"up to {100 * np.nanmax(cycles.level[first:behind]):.0f} %")


def _comes_back(cycles: _Cycles, first: int, behind: int) -> bool:
    return behind - first < _SIDE or first > 0 and behind < len(cycles.level)


def _steps(cycles: _Cycles) -> Iterator[Event]:
    """Yield levels that last two cycles on either side of a change that takes one."""
    level, count = cycles.level, len(cycles.level)
    places = np.arange(_SIDE, count - _SIDE)
    before = np.array([np.median(level[k - _SIDE : k]) for k in places])
    behind = np.array([np.median(level[k + 1 : k + 1 + _SIDE]) for k in places])
    height = np.zeros(count)
    height[_SIDE : count - _SIDE] = np.nan_to_num(np.abs(behind - before))
    jump = np.zeros(count)
    jump[1:-1] = np.nan_to_num(np.abs(level[2:] - level[:-2]))
    for first, last in _runs(height, _STEP, _STEP):
        k = first + int(np.argmax(jump[first:last]))
        old, new = before[k - _SIDE], behind[k - _SIDE]
        if jump[k] >= _AT_ONCE * height[first:last].max():
            yield cycles.event("step", k - 1, k + 2, f"from {100 * old:.0f} % to {100 * new:.0f} %")


def _inrush(cycles: _Cycles) -> Iterator[Event]:
    """Yield a current that rose, with a mean or a second harmonic that dies away."""
    for first, behind in _runs(cycles.unlike, _UNLIKE, _UNLIKE - _HYSTERESIS):
        values, half = cycles.unlike[first:behind], (behind - first) // 2
        before = cycles.level[max(first - 2, 0)]
        rose = first == 0 or np.nanmax(cycles.level[first:behind]) > _HIGH * before
        if (
            behind - first >= _LEAST
            and rose
            and np.nanmedian(values[half:]) <= _DECAYED * np.nanmax(values[: half + 1])
        ):
            yield cycles.event("inrush", first, behind, f"DC or H2 up to {100 * np.nanmax(values):.0f} % of H1")


def _touches(event: Event, others: Sequence[Event]) -> bool:
    return any(event.start <= other.end and other.start <= event.end for other in others)
