"""A run that a command makes first, if it is not made yet: what `DRY=1` shows, and what a sweep's points are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from microstage_runner.pipeline.step import Step
from microstage_runner.session import Session

__all__ = ["Planned", "up_to"]


@dataclass(frozen=True)
class Planned:
    """Everything up to the stage `target` of one selection; `title` tells it from others of the same command.

    `forced` makes the target again where it is published, and compares.
    """

    title: str
    session: Session
    target: str
    forced: bool = False

    @cached_property
    def steps(self) -> list[Step]:
        """Every step of it, as it is foreseen; raise what would end it before anything is run."""
        return self.session.plan(self.target)


def up_to(session: Session, *targets: str) -> list[Planned]:
    """Return the runs of one selection up to each of `targets`."""
    return [Planned(f"up to {target}", session, target) for target in targets]
