"""Render the page of a run: python -m microstage_report ASKED.json FACTS.json PAGE.html

ASKED.json is what the runner knows: {"steps": folders of artefacts, "command", and where there are such "network",
"called", "explained" and "latency"}; or, of a recording, {"recording": the folder of its estimates, "called",
"networks", "command"}; or, of what the runner knows whole, such as a sweep, {"facts"}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from microstage_report.facts import PublishedRun, facts_of, facts_of_recording
from microstage_report.page import render


def main(asked: Path, facts: Path, page: Path) -> int:
    """Write the facts, and the page that shows them."""
    wanted = json.loads(asked.read_text())
    found = _facts(wanted)
    facts.write_text(json.dumps(found, allow_nan=False))
    page.write_text(render(found), encoding="utf-8")
    return 0


def _facts(wanted: dict[str, Any]) -> dict[str, Any]:
    if "facts" in wanted:
        return wanted["facts"]
    return facts_of_recording(wanted) if "recording" in wanted else facts_of(PublishedRun.of(wanted))


if __name__ == "__main__":
    raise SystemExit(main(*map(Path, sys.argv[1:])))
