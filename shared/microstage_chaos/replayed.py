"""A stage that writes again what it wrote in the undisturbed run: `replayed.py RECORDED OUT SCRATCH`.

It runs in the stage's own environment, and ends as stages do. CHAOS_LOG is a file that gets a line per run; CHAOS_PAUSE
are seconds that it takes; CHAOS_EDIT is a file that gets one more byte meanwhile, and CHAOS_BACK says to put it back.
"""

import json
import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path

from microstage.process.ending import TRACE, ended


def main(recorded: Path, out: Path, scratch: Path) -> None:
    """Write the files of an artefact, and what its manifest has from the stage's own report."""
    about = json.loads((recorded / "manifest.json").read_text())
    files = [entry["name"] for entry in about["subject"]]
    pause = float(os.environ.get("CHAOS_PAUSE", 0)) / len(files)
    if "CHAOS_LOG" in os.environ:
        with open(os.environ["CHAOS_LOG"], "a") as log:
            log.write(f"{recorded.parent.name}/{recorded.name}\n")
    (scratch / "logs").mkdir(exist_ok=True)
    (scratch / "logs" / "log.txt").write_text("replayed\n")
    for name in files:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(recorded / name, out / name)
        time.sleep(pause)
    if "CHAOS_EDIT" in os.environ:
        edit(Path(os.environ["CHAOS_EDIT"]), "CHAOS_BACK" in os.environ)
    made = {name: about["microstage"][name] for name in ("metrics", "verification")}
    (out / "report.json").write_text(json.dumps(made))


def edit(path: Path, back: bool) -> None:
    """Add a byte to a file; put it back as it was, if asked to."""
    held = path.read_bytes()
    path.write_bytes(held + b" ")
    if back:
        path.write_bytes(held)


if __name__ == "__main__":
    recorded, out, scratch = map(Path, sys.argv[1:])
    work = partial(main, recorded, out, scratch)
    raise SystemExit(ended("microstage replayed", work, scratch / "logs" / TRACE))
