"""What a kind of fault is: a name, a number of tries, and one try."""

from __future__ import annotations

import random
from typing import Protocol

from microstage_chaos.ground import Ground, Undisturbed

__all__ = ["KindOfFault", "in_containers", "named", "run_of"]


class KindOfFault(Protocol):
    """One line of the table.

    A try is told by its number and by random numbers of its
    own, so that it can be seen again alone.
    """

    @property
    def name(self) -> str:
        """What chooses it."""

    @property
    def title(self) -> str:
        """What the table calls it."""

    @property
    def alone(self) -> bool:
        """Whether nothing else may be tried meanwhile: what it disturbs is shared, or it takes the whole machine."""

    def count(self, ground: Ground) -> int:
        """Return how many tries make it whole; raise `Skipped` where it cannot be tried here."""

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        """Try it once; raise `Lost` for a promise that did not hold."""


def run_of(ground: Ground, number: int, runner: str = "local") -> Undisturbed:
    """Return the run that a try is about: one family after the other."""
    runs = ground.runs_in(runner)
    return runs[number % len(runs)]


def named(name: str, runner: str) -> str:
    """Return what chooses a fault where stages run with `runner`."""
    return name if runner == "local" else f"{name}-{runner}"


def in_containers(title: str, runner: str) -> str:
    """Return what the table calls a fault where stages run with `runner`."""
    return title if runner == "local" else f"{title}, in containers"
