"""`make push REGISTRY=`: the selected artefacts, and the images that are here, to an OCI registry."""

from __future__ import annotations

from microstage_runner.engines import image_registry
from microstage_runner.engines.images import Images
from microstage_runner.registry.artefact_registry import KEY_CHARACTERS, names, pushed_or_not
from microstage_runner.registry.chosen_registry import required
from microstage_runner.session import Session
from microstage_runner.signing import in_registry

__all__ = ["command"]


def command(session: Session) -> None:
    """Push the published artefacts of the selected run with their signatures, then the images
    and bases that are here.
    """
    steps = session.published()
    session.store.keys.verified(step.artefact for step in steps)
    registry = required()
    for step in steps:
        done = "pushed" if pushed_or_not(registry, step.artefact) else "is there already"
        in_registry.push(registry, *names(step.stage.name, step.about["key"]), step.artefact)
        print(f"push: {step.stage.name}:{step.about['key'][:KEY_CHARACTERS]} {done}", flush=True)
    image_registry.push(registry, Images(session.repository, session.volumes), [step.stage.name for step in steps])
