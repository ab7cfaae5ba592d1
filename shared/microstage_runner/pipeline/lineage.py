"""What was made from what, by the inputs that manifests name: what came of an artefact, which is most like a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.store import Store
from microstage_runner.pipeline.step import Step

__all__ = ["descendants", "nearest"]

_Facts = frozenset[tuple[str, str, Any]]


def nearest(steps: Sequence[Step], store: Store) -> Artefact | None:
    """Return the artefact of the last of `steps` with the most parameters and inputs equal, its own and those before
    it.

    Of equals, the one that was published last; None where the stage has published nothing of this network.
    """
    published = {stage.name: store.published(stage.name) for stage in (step.stage for step in steps)}
    made = {artefact.digest: artefact for artefacts in published.values() for artefact in artefacts}
    wanted = frozenset().union(*(_facts(step.about) for step in steps))
    found = [(artefact, _lineage(artefact, made)) for artefact in published[steps[-1].stage.name]]
    same = [(artefact, facts) for artefact, facts in found if _networks(facts) == _networks(wanted)]
    return max(same, key=lambda one: len(wanted & one[1]), default=(None,))[0]


def _networks(facts: _Facts) -> _Facts:
    """Return what of `facts` says which network it is; nothing for a file of the user's own."""
    return frozenset(fact for fact in facts if fact[1] == "model")


def _lineage(artefact: Artefact, made: Mapping[str, Artefact]) -> _Facts:
    before = (made[mark] for mark in artefact.about["inputs"].values() if mark in made)
    return _facts(artefact.about).union(*(_lineage(other, made) for other in before))


def _facts(about: Mapping[str, Any]) -> _Facts:
    facts = (fact for part in ("parameters", "inputs") for fact in about[part].items())
    return frozenset((about["stage"], name, value) for name, value in facts)


def descendants(ancestors: Sequence[Artefact], store: Store) -> list[Artefact]:
    """Return every artefact of the volume that was made from one of `ancestors`, or from what was, near ones first."""
    left = [artefact for stage in store.stages() for artefact in store.published(stage)]
    found: list[Artefact] = []
    marks = {artefact.digest for artefact in ancestors}
    while marks:
        near = [artefact for artefact in left if marks & set(artefact.about["inputs"].values())]
        left = [artefact for artefact in left if artefact not in near]
        found += near
        marks = {artefact.digest for artefact in near}
    return found
