"""Say what quantising cost: a line for the person who waits, tables for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage.stage import Job
from microstage.untrusted.printable import in_markdown
from microstage_streamline.quantise.calibration import FEW

__all__ = ["say_cost", "tables"]

_MUCH = 0.2  # relative L2

Cost = Mapping[str, Any]


def say_cost(job: Job, cost: Cost) -> None:
    """Log what was quantised over which rows and what it cost; say so where that is much, or the rows are few."""
    held = f"; {_answers(cost, '_held_out')} on {cost['held_out']} held out" if cost["held_out"] else ""
    job.log(f"streamline: quantised by {cost['by']} over {cost['rows']} rows: {_answers(cost)}{held}")
    if cost["rows"] < FEW:
        job.log(f"streamline: CALIBRATION has {cost['rows']} rows, of which ranges are a guess; give a few hundred")
    if (worst := _largest(cost)) > _MUCH:
        tensor = max(cost["tensors"], key=lambda found: found["alone"])
        job.log(
            f"streamline: quantising costs much, a relative L2 of {worst:g}; most of it at {tensor['layer']} ->"
            f" {tensor['tensor']}, alone {tensor['alone']:g}: rows in CALIBRATION that are like what comes, or training"
            " with quantisers, may mend it"
        )


def tables(cost: Cost) -> list[str]:
    """Return the lines of Markdown."""
    lines = [f"By {cost['by']}: uint8 tensors, int8 weights for each channel, int32 biases.", ""]
    lines += ["| output | rows | relative L2 to the float file | same class |", "|---|---|---|---|"]
    for kind, rows in (("answers", cost["rows"]), ("answers_held_out", cost["held_out"])):
        what = f"{rows} held out" if kind != "answers" else rows
        for name, found in cost.get(kind, {}).items():
            same = f"{found['agreement']:.1%}" if "agreement" in found else "-"
            lines.append(f"| `{in_markdown(name)}` | {what} | {found.get('relative_l2', '-')} | {same} |")
    lines += [
        "",
        "So far: the error of this tensor in the quantised network. Alone: that of the answers, when nothing but",
    ]
    lines += ["this tensor is quantised, and the weights in front of it."]
    lines += ["", "| layer | tensor | so far | alone |", "|---|---|---|---|"]
    for found in cost["tensors"]:
        named = f"{in_markdown(found['layer'])} | `{in_markdown(found['tensor'])}`"
        lines.append(f"| {named} | {found['so_far']} | {found['alone']} |")
    return lines


def _answers(cost: Cost, kind: str = "") -> str:
    said = []
    for name, found in cost[f"answers{kind}"].items():
        if "relative_l2" in found:
            said.append(f"relative L2 {found['relative_l2']:g} at {name}")
        if "agreement" in found:
            said.append(f"the same class in {found['agreement']:.1%}")
    return ", ".join(said)


def _largest(cost: Cost) -> float:
    kinds = ("answers", "answers_held_out")
    return max((found.get("relative_l2", 0.0) for kind in kinds for found in cost.get(kind, {}).values()), default=0.0)
