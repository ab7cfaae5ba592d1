"""The printed tables: every runtime's time, then ours against each rival's best form, beside the aim; in the end, a row
per network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from microstage_bench.aims import CONSTANTS, aim
from microstage_bench.compare import ComparedRuntime
from microstage_bench.measuring import Timing, ratio
from microstage_bench.names import BEFORE
from microstage_bench.tables import table, without_empty

__all__ = ["Measured", "constants", "ratios", "summary", "times"]


@dataclass(frozen=True)
class Measured:
    """One network's times; `ours` names the variants of the C; sizes in bytes, 0 where there is no .tflite file."""

    name: str
    network: str
    "What its aims go by."
    timings: Mapping[str, Timing]
    ours: Sequence[str]
    constants: int
    arena: int
    tflite: int

    @property
    def fastest(self) -> str:
        """Our variant with the least median."""
        return min(self.ours, key=lambda name: self.timings[name].median)

    def rivals(self) -> dict[str, str]:
        """Return {rival: the name of its fastest form}; a form's name begins with its rival's."""
        best: dict[str, str] = {}
        others = [name for name in self.timings if name not in self.ours and not name.startswith(BEFORE)]
        for name in sorted(others, key=lambda name: self.timings[name].median):
            best.setdefault(name.split()[0], name)
        return best

    def against(self, variant: str) -> dict[str, str]:
        """Return {rival: name} that `variant` is compared with; of an earlier version, the same variant."""
        before = f"{BEFORE}{variant}"
        return {**self.rivals(), **({before: before} if before in self.timings else {})}


def times(
    timings: Mapping[str, Timing], contestants: Mapping[str, ComparedRuntime], macs: int | None, peak: float
) -> str:
    """Return a row per runtime; `peak` in GMAC/s, 0 where there is none; `macs` None where they are unknown."""
    rows = []
    for name, timing in timings.items():
        low, high = timing.spread
        rate, one = (macs or 0) / timing.median / 1000, contestants[name]
        share = f"{rate / peak:.1%}" if peak and rate else ""
        whole = f"{one.whole}; {one.more}" if one.more else one.whole
        rows.append(
            [
                name,
                f"{timing.median:.2f}",
                f"{low:.2f}-{high:.2f}",
                f"{timing.best:.2f}",
                f"{rate:.1f}" if rate else "",
                share,
                one.layers or "",
                whole,
            ]
        )
    return table(
        ["runtime", "median us", "quartiles", "best", "GMAC/s", "of peak", "each layer alone", "whole network"], rows
    )


def ratios(measured: Measured) -> str:
    """Return each rival's fastest form, and the same variant of an earlier version, over each of our variants."""
    rows, timings = [], measured.timings
    for variant in measured.ours:
        for rival, name in measured.against(variant).items():
            value, low, high = ratio(timings[name], timings[variant])
            wanted = aim(variant, variant == measured.fastest, rival, measured.network)
            rows.append([f"{name} / {variant}", f"{value:.2f}", f"{low:.2f}-{high:.2f}", _reached(value, wanted)])
    return (
        table(["ratio of medians", "", "quartiles of rounds", "aim"], rows)
        if rows
        else "no other runtime has a form of this network"
    )


def constants(measured: Measured) -> str:
    """Return a sentence on the C's constants beside the .tflite file."""
    share = measured.constants / measured.tflite
    said = "reached" if share <= CONSTANTS else "not reached"
    size = f"{measured.tflite:,} bytes (at most {CONSTANTS:g}: {said})"
    return f"constants of the C: {share:.2f} of the .tflite file's {size}"


def summary(found: Sequence[Measured]) -> str:
    """Return a table of how many times as fast the C is, a row per network."""
    head = ("than TFLite Micro, C99", "than onnxruntime's best", "than LiteRT with XNNPACK", "than before")
    sizes = ("us", "constants / .tflite", "arena, bytes")
    return without_empty(("how many times as fast", *head, *sizes), [_row(one) for one in found])


def _row(one: Measured) -> list[str]:
    fastest = one.fastest
    rivals = [_times(one, name, fastest) for name in ("onnxruntime", "litert", f"{BEFORE}{fastest}")]
    share = f"{one.constants / one.tflite:.2f}" if one.tflite else ""
    return [
        one.name,
        _times(one, "tflm", "C99"),
        *rivals,
        f"{one.timings[fastest].median:.1f}",
        share,
        f"{one.arena:,}",
    ]


def _times(one: Measured, rival: str, variant: str) -> str:
    name = one.against(variant).get(rival)
    return f"{ratio(one.timings[name], one.timings[variant])[0]:.2f}" if name else ""


def _reached(value: float, wanted: float | None) -> str:
    """Return the aim, and how much of it `value` is."""
    if wanted is None:
        return ""
    return f"{wanted:g}: {'reached' if value >= wanted else f'{value / wanted:.0%} of it'}"
