"""Render the page of a run: python -m microstage_report ASKED.json FACTS.json PAGE.html

ASKED.json is what the runner knows: {"steps": folders of artefacts, "command", and where there are such "network",
"called" and "explained"}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from microstage_report.facts import PublishedRun, facts_of
from microstage_report.page import render


def main(asked: Path, facts: Path, page: Path) -> int:
    """Write the facts, and the page that shows them."""
    found = facts_of(PublishedRun.of(json.loads(asked.read_text())))
    facts.write_text(json.dumps(found, allow_nan=False))
    page.write_text(render(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*map(Path, sys.argv[1:])))
