"""The table that a campaign ends with."""

from __future__ import annotations

from collections.abc import Mapping

from microstage.process.text_table import table
from microstage_fuzz.libfuzzer import Reached

__all__ = ["lines"]

_HEAD = ("target", "inputs", "edges", "features", "crashes", "slowest")


def lines(outcomes: Mapping[str, Reached]) -> list[str]:
    """Return the lines of the table: a row for each target, then every crash and what a target ended with."""
    rows = [_row(name, outcome) for name, outcome in outcomes.items()]
    kept = [f"{name}: {path}" for name, outcome in outcomes.items() for path in outcome.crashes]
    failed = [f"{name} did not run: {outcome.failed}" for name, outcome in outcomes.items() if outcome.failed]
    return [*table(_HEAD, rows), *kept, *failed]


def _row(name: str, outcome: Reached) -> tuple[str, ...]:
    counts = (outcome.inputs, outcome.covered, outcome.features, len(outcome.crashes))
    return name, *(f"{count:,}" for count in counts), f"{outcome.slowest:.2f} s"
