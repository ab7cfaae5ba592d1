"""`make pull REGISTRY=`: the artefacts and images of the selected run, as far as the registry has them."""

from __future__ import annotations

from microstage.errors import ArtefactError
from microstage_runner.declarations.stages import last, needed
from microstage_runner.engines.containers import DockerBackend
from microstage_runner.engines.remote import RemoteBackend
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.pipeline.step import PublishedStep, Step
from microstage_runner.registry.artefact_registry import KEY_CHARACTERS, fetch
from microstage_runner.registry.chosen_registry import required
from microstage_runner.registry.client import Registry
from microstage_runner.session import Session

__all__ = ["command"]


def command(session: Session) -> None:
    """Pull up to STAGE=, or the last stage; raise `ArtefactError` for less than a STAGE= that was typed, or nothing."""
    pipeline, target = session.pipeline(), session.stage(default=last(session.stages))
    registry = required()
    _pull_images(registry, pipeline, target)
    *before, end = steps = _pulled(registry, pipeline, target)
    for step in steps:
        state = "here" if isinstance(step, PublishedStep) else "not there"
        print(f"pull: {step.stage.name}:{step.about['key'][:KEY_CHARACTERS]} is {state}")
    session.store.keys.verified(step.artefact for step in steps if isinstance(step, PublishedStep))
    if not isinstance(end, PublishedStep) and ("STAGE" in session.typed or not before):
        name = end.stage.name
        raise ArtefactError(f"{registry.name} has no {name} of this selection; `make {name}` makes it.")


def _pull_images(registry: Registry, pipeline: Pipeline, target: str) -> None:
    """Pull the image of every stage up to `target`, where stages run in containers."""
    backend = pipeline.backend
    if not isinstance(backend, DockerBackend | RemoteBackend):
        return
    for stage in needed(pipeline.stages, target):
        if backend.images.pull(stage.name) is None:
            raise ArtefactError(
                f"{registry.name} has no image of {stage.name} for this checkout; `make images` builds it."
            )


def _pulled(registry: Registry, pipeline: Pipeline, target: str) -> list[Step]:
    """Fetch one artefact after another, as each key needs the artefact before it; return the
    steps that are known then.
    """
    while True:
        steps = list(pipeline.steps(target))
        last = steps[-1]
        if isinstance(last, PublishedStep) or not fetch(registry, pipeline.store, last.stage.name, last.about["key"]):
            return steps
