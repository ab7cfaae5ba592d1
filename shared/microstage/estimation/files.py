"""What a program reads: every step of every channel as CSV, summary and events as JSON."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from microstage.estimation.networks import ORDERS
from microstage.estimation.record import Record
from microstage.estimation.tables import METHODS, ChannelResult
from microstage.files.canonical import write_json

__all__ = ["SUMMARY", "TABLE", "write"]

TABLE = "harmonics.csv"
SUMMARY = "summary.json"


def write(folder: Path, record: Record, results: Sequence[ChannelResult], refused: dict[str, str]) -> None:
    """Write `harmonics.csv`, a row per channel and step, and `summary.json`."""
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(
            ["Channel", "Unit", "Time (s)", *(f"{order} {name}" for name in METHODS.values() for order in ORDERS)]
        )
        for result in results:
            values = np.column_stack([result.time, *(result.amplitudes[method] for method in METHODS)])
            rows.writerows([result.name, result.unit, *(f"{value:.9g}" for value in row)] for row in values)
    said = {result.name: _about(result) for result in results}
    write_json(
        folder / SUMMARY, {"mains": record.mains, "nominal": record.nominal, "channels": said, "refused": refused}
    )


def _about(result: ChannelResult) -> dict[str, Any]:
    errors = {method: dict(zip(ORDERS, map(_plain, result.error(method)))) for method in ("network", "half")}
    steps = result.steps
    return {
        "unit": result.unit, "kind": result.kind, "mains": steps.channel.mains, "rate": steps.channel.source.rate,
        "missing_samples": steps.channel.missing, "windows": len(result.time), "windows_left_out": steps.left_out,
        "cycles_of_full_dft": steps.cycles, "mean_absolute_difference_from_full_dft": errors,
        "thd_percent": {method: _plain(result.distortion(method)) for method in METHODS},
        "events": [asdict(event) for event in result.events], "remarks": list(steps.channel.source.remarks),
    }  # fmt: skip


def _plain(value: float) -> float | None:
    """Return `value`, or None for NaN, which JSON does not have."""
    return float(value) if math.isfinite(value) else None
