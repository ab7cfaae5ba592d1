"""The closing table of a run: accuracy, integers compared and equal per stage, seconds, and the
folder of the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microstage.process.text_table import table
from microstage_runner.declarations.family_modules import report_of
from microstage_runner.pipeline.step import PublishedStep

__all__ = ["summary"]


def summary(steps: Sequence[PublishedStep]) -> str:
    """Return the closing table of `steps`, all of which are published; a user's own network stands beside its file."""
    beside = [line for step in steps for line in _beside(step.artefact.about["metrics"].get("compared", {}))]
    trained = steps[0].artefact.about
    accuracy = report_of(trained["parameters"]).closing(trained["metrics"], trained["parameters"])
    lines = [*accuracy, "", *_stages(steps), *beside, "", f"result: {steps[-1].artefact.path}"]
    return "\n".join(lines)


def _stages(steps: Sequence[PublishedStep]) -> list[str]:
    """Return a row per stage: what it compared, and how long it took."""
    rows = []
    for step in steps:
        proofs = step.artefact.about["verification"]
        compared, equal, ties = (sum(p[k] for p in proofs) for k in ("compared", "equal", "explained_ties"))
        seconds = step.artefact.run.get("seconds")
        rows.append(
            [
                step.stage.name,
                step.about["key"][:16],
                "?" if seconds is None else f"{seconds:.1f}",
                f"{compared:,}" if proofs else "-",
                f"{equal:,}" if proofs else "-",
                f"{ties:,}" if proofs else "-",
            ]
        )
    return table(["stage", "key", "seconds", "integers compared", "equal", "explained ties"], rows)


def _beside(compared: Mapping[str, Any]) -> list[str]:
    """Return what differs where the untouched file runs on by itself, and to the user's own answers, as floats may fall
    either way at a tie; then what was not compared.
    """
    rows = [
        [
            f"{what} ({found['by']})" if "by" in found else what,
            name,
            *(f"{figures[key]:,}" for key in ("values", "levels_differing")),
            f"{figures['largest']:g}",
        ]
        for what, found in compared.items()
        if what != "layers"
        for name, figures in found.items()
        if name != "by"
    ]
    head = ["run on by itself, not gated", "output", "values", "half a level off", "largest difference"]
    missing = [
        f"NOT COMPARED with the file: {name}: {reason}"
        for name, reason in compared.get("layers", {}).get("uncompared", {}).items()
    ]
    return [*(["", *table(head, rows)] if rows else []), *(["", *missing] if missing else [])]
