"""`make report [OPEN=1]`: the closing table of the selected run, and its page with everything that is known of it.

The page is made anew, with what it alone needs: the error of every layer, as `make explain` finds it, and how long the
C takes on this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from microstage.errors import StageFailed
from microstage_runner.artefacts.places import Place
from microstage_runner.commands.explain import explain, explained_role
from microstage_runner.commands.opening import is_to_open, open_page
from microstage_runner.commands.planned import Planned
from microstage_runner.declarations.stages import CODE
from microstage_runner.pipeline.page import page_of
from microstage_runner.pipeline.rendering import explanation_of
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.pipeline.summary import summary
from microstage_runner.session import Session

__all__ = ["command", "planned"]


def planned(session: Session) -> list[Planned]:
    """Return no run: what is published is shown."""
    is_to_open(session.typed)
    return []


def command(session: Session) -> None:
    """Print the selected run as a table, and where its page is; OPEN=1 opens that."""
    opens = is_to_open(session.typed)
    steps = session.published()
    print(summary(steps))
    _explained(session, steps)
    page = page_of(steps, again=True, beside={"latency": _latency(session, steps)})
    if opens:
        open_page(page)
    print(f"page: {page}")


def _explained(session: Session, steps: Sequence[PublishedStep]) -> None:
    """Find the error of every layer, where the run is far enough for it, and it is not known yet."""
    far_enough = explained_role(session) in {step.stage.role for step in steps}
    if not far_enough or explanation_of(steps, session.volumes):
        return
    print("explain: the error of every layer ...", flush=True)
    try:
        explain(session, session.pipeline(), steps, {})
    except StageFailed as error:
        print(f"explain: none on the page: {error}", flush=True)


def _latency(session: Session, steps: Sequence[PublishedStep]) -> dict[str, int]:
    """Return {function: nanoseconds} of the C's own benchmark; empty before there is C, or without a compiler."""
    code = next((step for step in steps if step.stage.role == CODE), None)
    if code is None or not (shutil.which("make") and shutil.which("cc")):
        return {}
    with Place(session.volumes, "latency") as place:
        copied = shutil.copytree(code.artefact.checked(), place / "c")
        around = {"PATH": os.environ["PATH"]}
        done = subprocess.run(["make", "-C", str(copied), "bench"], env=around, capture_output=True, text=True)
    return {name: int(time) for name, time in re.findall(r"^(.+): median (\d+) ns", done.stdout, re.MULTILINE)}
