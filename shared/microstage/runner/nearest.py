"""What `make why` compares a key with: of everything that its stage ever published, the artefact that is most like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microstage.runner.chain import Step
from microstage.runner.store import Artefact, Store

__all__ = ["nearest"]

_Facts = frozenset[tuple[str, str, Any]]


def nearest(steps: Sequence[Step], store: Store) -> Artefact | None:
    """The artefact of the last of `steps` with the most parameters and inputs equal, its own and those that it was made from.

    Of equals, the one that was published last; None where the stage has published nothing.
    """
    published = {stage.name: store.published(stage.name) for stage in (step.stage for step in steps)}
    made = {artefact.digest: artefact for artefacts in published.values() for artefact in artefacts}
    wanted = frozenset().union(*(_facts(step.about) for step in steps))
    return max(published[steps[-1].stage.name], key=lambda artefact: len(wanted & _lineage(artefact, made)), default=None)


def _lineage(artefact: Artefact, made: Mapping[str, Artefact]) -> _Facts:
    before = (made[mark] for mark in artefact.about["inputs"].values() if mark in made)
    return _facts(artefact.about).union(*(_lineage(other, made) for other in before))


def _facts(about: Mapping[str, Any]) -> _Facts:
    return frozenset((about["stage"], name, value) for part in ("parameters", "inputs") for name, value in about[part].items())
