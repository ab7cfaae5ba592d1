"""What came of every point of a sweep, as rows, and the files of the whole."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from microstage.errors import MicrostageError
from microstage.process.text_table import table
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.sweeping.figures import figures
from microstage_runner.sweeping.jobs import SweepJob, name_of
from microstage_runner.sweeping.points import Point

__all__ = ["FAILED", "Outcome", "csv_of", "numbers_of", "outcomes", "table_of"]

FAILED = "failed"
_UNITS = re.compile(r"^(?P<number>-?[0-9][0-9,]*(?:\.[0-9]+)?)(?P<unit> %)?$")


@dataclass(frozen=True)
class Outcome:
    """One point: its `figures` by column and its published `steps`, or the sentence in which it `failed`."""

    point: Point
    figures: Mapping[str, str]
    steps: Sequence[PublishedStep] = ()
    failed: str = ""

    @property
    def row(self) -> dict[str, str]:
        """The point's values and what came of it, by column."""
        return {**self.point.values, **self.figures, **({FAILED: self.failed} if self.failed else {})}

    @property
    def identity(self) -> dict[str, str]:
        """The run that it is, its last artefact, and the digest of that; all empty where the point failed."""
        if not self.steps:
            return {"run": "", "key": "", "digest": "", "artefact": ""}
        first, last = self.steps[0].artefact, self.steps[-1].artefact
        return {"run": first.key, "key": last.key, "digest": last.digest, "artefact": str(last.path)}


def outcomes(points: Sequence[Point], jobs: Mapping[str, SweepJob]) -> list[Outcome]:
    """Return what came of each point, after its jobs have ended."""
    return [_outcome(point, jobs) for point in points]


def _outcome(point: Point, jobs: Mapping[str, SweepJob]) -> Outcome:
    own = [jobs[name] for name in map(name_of, point.run.steps) if name in jobs]
    stopped = next((job for job in own if not job.stamp.exists()), None)
    if stopped:
        return Outcome(point, {}, failed=f"{stopped.stage.name}: {stopped.failure}")
    try:
        steps = list(point.run.session.pipeline().steps(point.run.target))
        done = [step for step in steps if isinstance(step, PublishedStep)]
        if len(done) < len(point.run.steps):
            return Outcome(point, {}, failed=f"{steps[-1].stage.name} changed while the sweep ran; run it again.")
        return Outcome(point, figures(done), done)
    except MicrostageError as error:
        return Outcome(point, {}, failed=str(error))


def table_of(found: Sequence[Outcome]) -> str:
    """Return a row for each point; networks of different kinds have different columns."""
    rows = [outcome.row for outcome in found]
    head = _columns(rows)
    return "\n".join(table(head, [[row.get(name, "") for name in head] for row in rows]))


def csv_of(found: Sequence[Outcome]) -> str:
    """Return the same as CSV: plain numbers, a unit in the column's name, and which artefact each row is about."""
    rows = [{**_plain(outcome.row), **outcome.identity} for outcome in found]
    head, text = _columns(rows), io.StringIO()
    writer = csv.DictWriter(text, head, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def numbers_of(figures: Mapping[str, str]) -> dict[str, float]:
    """Return those of the figures that are numbers."""
    found = {name: _UNITS.match(cell) for name, cell in figures.items()}
    return {name: float(number["number"].replace(",", "")) for name, number in found.items() if number}


def _columns(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Return every column that some row has, the sentence of those that failed last."""
    names = [*dict.fromkeys(name for row in rows for name in row)]
    return sorted(names, key=lambda name: name == FAILED)


def _plain(row: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, cell in row.items():
        number = _UNITS.match(cell)
        unit = " (%)" if number and number["unit"] else ""
        found[name + unit] = number["number"].replace(",", "") if number else cell
    return found
