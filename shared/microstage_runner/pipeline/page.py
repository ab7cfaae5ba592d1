"""The page of a run: named where it is there, else made; outside of every artefact, so that no digest covers it.

    volumes/report/<network>-<16 digits>.html    of the keys of all its stages
    volumes/report/<network>-<16 digits>.json    the facts that it shows

A page that is there is only named: a finished `make` pays for no more than that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from microstage.errors import MicrostageError
from microstage.files.canonical import digest
from microstage.untrusted.printable import printable
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.process import load

__all__ = ["page_of", "print_made", "print_page", "title_of"]


def page_of(steps: Sequence[PublishedStep], again: bool = False, beside: Mapping[str, Any] = {}) -> Path:
    """Return the page of a run, which is made where it is missing, or `again`, with what is known `beside` artefacts.

    Raise `MicrostageError` where it cannot be made.
    """
    page = _place(steps)
    if again or not page.is_file():
        rendering = load("pipeline.rendering")
        rendering.render({**rendering.asked_of(steps, page.parents[1]), **beside}, page)
    return page


def print_page(steps: Sequence[PublishedStep], again: bool = False) -> None:
    """Print where the page of a run is; or why there is none, which is no fault of the run."""
    print_made(lambda: page_of(steps, again))


def print_made(make: Callable[[], Path]) -> None:
    """Print where the page is that `make` makes; or why it could not be made."""
    try:
        print(f"page: {make()}", flush=True)
    except (MicrostageError, OSError) as error:
        print(f"page: none, as it could not be made: {error}", flush=True)


def title_of(steps: Sequence[PublishedStep]) -> str:
    """Return what the user calls the network: its MODEL=, or the stem of the file that it was read from."""
    file = steps[0].artefact.run.get("onnx_file")
    models = [str(step.artefact.parameters["model"]) for step in steps if "model" in step.artefact.parameters]
    return Path(file).stem if file else (models or ["network"])[0]


def _place(steps: Sequence[PublishedStep]) -> Path:
    """Return where the page of a run belongs."""
    keys = digest([step.artefact.about["key"] for step in steps])
    name = re.sub(r"[^\w.-]+", "_", printable(title_of(steps)), flags=re.ASCII).strip("._") or "network"
    return steps[-1].artefact.path.parents[1] / "report" / f"{name[:80]}-{keys[:16]}.html"
