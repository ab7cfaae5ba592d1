"""`python -m microstage_report.tracking.tensorboard runs.json folder`: one folder of event files a run."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter


def main(runs: Path, folder: Path) -> int:
    for run in json.loads(runs.read_text()):
        shutil.rmtree(folder / run["id"], ignore_errors=True)  # what an earlier call wrote of the same run
        _write(run, folder / run["id"])
    return 0


def _write(run: Mapping[str, Any], folder: Path) -> None:
    """Write the parameters as text, each figure as one point, and each curve over its epochs."""
    with SummaryWriter(str(folder)) as writer:
        lines = [f"    {name} = {value}" for name, value in run["parameters"].items()]
        writer.add_text("parameters", "\n".join(lines))
        for name, value in run["figures"].items():
            writer.add_scalar(name, value, 0)
        for point in run["curves"]:
            writer.add_scalar(point["figure"].replace(": ", "/"), point["value"], point["epoch"])


if __name__ == "__main__":
    raise SystemExit(main(*map(Path, sys.argv[1:])))
