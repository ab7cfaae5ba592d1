"""The printed tables: every runtime's time, then ours against each rival's best form, beside the aim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from microstage.benchmarks.aims import aim
from microstage.benchmarks.contest import Contestant
from microstage.benchmarks.measuring import Timing, ratio
from microstage.benchmarks.tables import table

__all__ = ["ratios", "times"]


def times(timings: Mapping[str, Timing], contestants: Mapping[str, Contestant], macs: int, peak: float) -> str:
    """A row per runtime; `peak` in GMAC/s, 0 where there is none."""
    rows = []
    for name, timing in timings.items():
        low, high = timing.spread
        rate = macs / timing.median / 1000
        share = f"{rate / peak:.1%}" if peak else ""
        agreed = [contestants[name].layers or "", contestants[name].whole]
        rows.append([name, f"{timing.median:.2f}", f"{low:.2f}-{high:.2f}", f"{timing.best:.2f}", f"{rate:.1f}", share, *agreed])
    return table(["runtime", "median us", "quartiles", "best", "GMAC/s", "of peak", "each layer alone", "whole network"], rows)


def ratios(network: str, timings: Mapping[str, Timing], ours: Sequence[str]) -> str:
    """Each rival's fastest form over each of our variants; empty where there is nothing of ours."""
    rows, fastest = [], min(ours, key=lambda name: timings[name].median, default=None)
    for variant in ours:
        for rival, name in _fastest(timings, ours).items():
            value, low, high = ratio(timings[name], timings[variant])
            wanted = aim(variant, variant == fastest, rival, network)
            rows.append([f"{name} / {variant}", f"{value:.2f}", f"{low:.2f}-{high:.2f}", _reached(value, wanted)])
    return table(["ratio of medians", "", "quartiles of rounds", "aim"], rows) if rows else ""


def _reached(value: float, wanted: float | None) -> str:
    """The aim, and how much of it `value` is."""
    if wanted is None:
        return ""
    return f"{wanted:g}: {'reached' if value >= wanted else f'{value / wanted:.0%} of it'}"


def _fastest(timings: Mapping[str, Timing], ours: Sequence[str]) -> dict[str, str]:
    """{rival: the name of its fastest form}; a form's name begins with its rival's."""
    best: dict[str, str] = {}
    for name in sorted((name for name in timings if name not in ours), key=lambda name: timings[name].median):
        best.setdefault(name.split()[0], name)
    return best
