"""Images in an OCI registry: <registry>/microstage/<stage>:<recipe>, moved by the container engine.

A recipe holds the id of its base. A stand-in base is pushed too, as <registry>/microstage/base:<python>-<id>, so that
a machine that has none can find out what the images there were built on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from microstage.errors import EnvironmentProblem, IntegrityError
from microstage_runner.engines import bases
from microstage_runner.engines.engine import Engine
from microstage_runner.registry.chosen_registry import chosen

if TYPE_CHECKING:
    from microstage_runner.registry.client import Registry

__all__ = ["chosen", "pull_base", "pull_image", "push", "stand_ins"]

_ABSENT = re.compile(r"not found|unknown|does not exist", re.IGNORECASE)
_LABEL = '{{index .Config.Labels "org.microstage.recipe"}}'


def push(registry: Registry, images, stages: Iterable[str]) -> None:
    """Push each stage's image, and the stand-in it was built on, where the engine has them."""
    try:
        engine = images.engine()
    except EnvironmentProblem:
        print("push: no container engine answers; no image was pushed")
        return
    for stage in stages:
        here = images.here(stage)
        if here is None:
            print(f"push: there is no image of {stage} here")
            continue
        image, base = here
        if base["id"].startswith("sha256:"):
            _push_one(engine, registry, base["reference"], "base", _base_tag(base))
        _push_one(engine, registry, image.tag, stage, image.recipe[:16])


def pull_image(engine: Engine, stage: str, recipe: str) -> bool:
    """Return whether the chosen registry had the image of this recipe; it then has the names of one built here."""
    registry = chosen()
    if registry is None or registry.manifest(f"microstage/{stage}", recipe[:16]) is None:
        return False
    reference = f"{registry.name}/microstage/{stage}:{recipe[:16]}"
    if not _pulled(engine, reference):
        return False
    found = engine.run("image", "inspect", "--format", _LABEL, reference)
    if found != recipe:
        engine.call("image", "rm", reference)
        raise IntegrityError(
            f"{reference} is refused: it is labelled with the recipe {found[:16] or '(none)'}, not with its own."
        )
    _name(engine, reference, f"microstage/{stage}:{recipe[:16]}", f"microstage/{stage}:latest")
    print(f"image: pulled microstage/{stage}:{recipe[:16]} from {registry.name}", flush=True)
    return True


def pull_base(engine: Engine, base: dict[str, str]) -> None:
    """Fetch the stand-in `base` too, so that another stage can be built on it; its layers are those of the image."""
    registry = chosen()
    if (
        registry is None
        or not base["id"].startswith("sha256:")
        or engine.call("image", "inspect", base["reference"]).returncode == 0
    ):
        return
    reference = f"{registry.name}/microstage/base:{_base_tag(base)}"
    if not _pulled(engine, reference):
        return
    found = engine.run("image", "inspect", "--format", "{{.Id}}", reference)
    if found != base["id"]:
        engine.call("image", "rm", reference)
        raise IntegrityError(f"{reference} is refused: its id is {found[:23]}.")
    _name(engine, reference, base["reference"])


def stand_ins(python: str) -> Iterator[dict[str, str]]:
    """Yield {"reference", "id"} of every stand-in for a Python that the chosen registry knows."""
    registry = chosen()
    for tag in registry.tags("microstage/base") if registry else ():
        version, _, digest = tag.rpartition("-")
        if version == python and re.fullmatch("[0-9a-f]{64}", digest):
            yield {"reference": bases.tag(python), "id": f"sha256:{digest}"}


def _base_tag(base: dict[str, str]) -> str:
    """Return under which tag a stand-in is pushed; its own says its Python, as in microstage/base:3.11."""
    python = base["reference"].rpartition(":")[2]
    return f"{python}-{base['id'].removeprefix('sha256:')}"


def _push_one(engine: Engine, registry: Registry, local: str, name: str, tag: str) -> None:
    reference = f"{registry.name}/microstage/{name}:{tag}"
    there = registry.manifest(f"microstage/{name}", tag) is not None
    if not there:
        engine.run("tag", local, reference)
        engine.run("push", reference)
        engine.run("image", "rm", reference)
    print(f"push: image {name}:{tag[:21]} {'is there already' if there else 'pushed'}", flush=True)


def _pulled(engine: Engine, reference: str) -> bool:
    done = engine.call("pull", "--quiet", reference)
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode and said and not _ABSENT.search(said[-1]):
        print(f"image: {reference} cannot be pulled: {said[-1]}", flush=True)
    return done.returncode == 0


def _name(engine: Engine, reference: str, *names: str) -> None:
    for name in names:
        engine.run("tag", reference, name)
    engine.run("image", "rm", reference)
