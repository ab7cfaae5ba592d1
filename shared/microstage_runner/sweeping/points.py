"""The points of a sweep: every combination of the values that were listed, checked before anything runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import MicrostageError, ParameterError
from microstage_runner.commands.planned import Planned
from microstage_runner.declarations.selection import SETTINGS
from microstage_runner.session import Session

__all__ = ["Point", "combinations", "points"]

_LISTED = ("CALIBRATION", "GOLDEN", "ONNX", "RUN")
"Settings that choose a network, of which a list may be typed as of any parameter."
_OF_THE_SWEEP = ("ENGINE", "JOBS", "PROFILE")


@dataclass(frozen=True)
class Point:
    """One combination: the `values` that vary, all that is `typed` for it, and its run."""

    values: Mapping[str, str]
    typed: Mapping[str, str]
    run: Planned

    @property
    def title(self) -> str:
        """The values, as they are typed."""
        return _title(self.values)


def combinations(typed: Mapping[str, str]) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Return (values that vary, all that is typed) of each combination; `ParameterError` when nothing varies."""
    own = {name: value for name, value in typed.items() if name not in _OF_THE_SWEEP}
    may_vary = {name: value for name, value in sorted(own.items()) if name not in SETTINGS or name in _LISTED}
    listed = {name: value.split(",") for name, value in may_vary.items() if "," in value}
    if not listed:
        raise ParameterError("make sweep needs a list, such as CYCLES=0.25,0.5,1.")
    chosen = (dict(zip(listed, values)) for values in itertools.product(*listed.values()))
    return [(values, {**own, **values}) for values in chosen]


def points(typed: Mapping[str, str], repository: Path) -> list[Point]:
    """Return every point, its steps foreseen; raise for the first of which some value is not allowed, or goes with
    another.
    """
    chosen = combinations(typed)
    return [_point(values, own, repository, f"{n} of {len(chosen)}") for n, (values, own) in enumerate(chosen, 1)]


def _point(values: Mapping[str, str], typed: dict[str, str], repository: Path, place: str) -> Point:
    try:
        session = Session.of("sweep", repository, typed)
        run = Planned(_title(values), session, session.stage(default=session.last_of("sweep")))
        _ = run.steps  # foreseen now
    except MicrostageError as error:
        raise type(error)(f"Point {place}, {_title(values)}: {error} Nothing was run.") from None
    return Point(values, typed, run)


def _title(values: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())
