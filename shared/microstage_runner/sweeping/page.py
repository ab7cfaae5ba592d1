"""The page of a sweep: its points beside each other, in parallel coordinates, with the front that none beats."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from microstage_runner.process import load
from microstage_runner.sweeping.outcomes import Outcome

__all__ = ["page_of"]

_OF_THE_MACHINE = ("DATA_DIR", "MEMORY", "PYTHON", "RUNNER", "VENDOR", "VOLUMES")


def page_of(found: Sequence[Outcome], result: Path, typed: Mapping[str, str]) -> Path:
    """Make the page of the sweep in the folder `result`, and return where it is."""
    page = result.parents[1] / "report" / f"sweep-{result.name}.html"
    load("pipeline.rendering").render({"facts": _facts(found, result, typed)}, page)
    return page


def _facts(found: Sequence[Outcome], result: Path, typed: Mapping[str, str]) -> dict[str, Any]:
    failed = [outcome for outcome in found if outcome.failed]
    words = [f"{name}={shlex.quote(value)}" for name, value in typed.items() if name not in _OF_THE_MACHINE]
    return {
        "title": f"sweep of {', '.join(found[0].point.values)}",
        "kind": "sweep",
        "verdict": {
            "state": "Swept" if not failed else "Swept in part",
            "sentence": f"{len(found) - len(failed)} of {len(found)} points are done.",
            "notes": [f"{outcome.point.title} failed: {outcome.failed}" for outcome in failed],
        },
        "comparison": json.loads((result / "comparison.json").read_text()),
        "provenance": {"rows": [{"what": "folder with table, CSV and logs", "value": str(result)}]},
        "command": " ".join(["make", "sweep", *words]),
    }
