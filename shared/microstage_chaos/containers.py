"""What a running stage may do, asked from inside its container: of every image, under a stage's own options."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from microstage_chaos.ground import Ground
from microstage_chaos.outcome import Lost, Skipped
from microstage_runner.artefacts.pinned_environment import stage_environment
from microstage_runner.engines import engine, memory, users
from microstage_runner.engines.containers import container_name, run_container
from microstage_runner.engines.images import Images

__all__ = ["Containers", "faults_of", "inspected"]

_PROGRAM = Path(__file__).with_name("inside.py").read_text()
_OWN = ("/out", "/scratch", "/tmp")
_IN_MEMORY = ("/dev/shm", "/dev/mqueue")  # of the container's own, bounded, gone with it
_UNLIMITED = 1 << 60  # what a control group without a limit says


@dataclass
class Containers:
    """One try for each stage's image."""

    alone: bool = True
    name: str = "containers"
    title: str = "a running stage asked from inside its container, an image each"

    def count(self, ground: Ground) -> int:
        if engine.find() is None:
            raise Skipped("no container engine answers")
        return len(self._stages(ground))

    def attempt(self, ground: Ground, rng: random.Random, number: int) -> None:
        stage = self._stages(ground)[number % len(self._stages(ground))]
        images = Images(ground.checkout, ground.volumes)
        image = images.ensure(stage, verify=True)
        found = inspected(images.engine(), image.tag, ground.folder / f"inside-{stage}")
        if faults := list(faults_of(found, memory.limit_of_container(images.engine()))):
            raise Lost(f"{image.tag}: {'; '.join(faults)}")

    @staticmethod
    def _stages(ground: Ground) -> list[str]:
        return sorted(path.parent.name for path in ground.checkout.glob("stages/*/Dockerfile"))


def inspected(found: engine.Engine, image: str, folder: Path) -> dict[str, Any]:
    """Return what `inside.py` tells in a container of `image` that has a stage's options, and its folders below
    `folder`.
    """
    places = {name: folder / name for name in ("in", "out", "scratch")}
    for place in places.values():
        place.mkdir(parents=True)
    (places["in"] / "given").write_text("given")
    mounts = {Path("/in/given"): (places["in"], True)}
    mounts |= {Path("/") / name: (places[name], False) for name in ("out", "scratch")}
    user = users.of_stages(folder)
    with users.lent([places["out"], places["scratch"]], user, folder):
        code = run_container(
            found,
            image,
            container_name("inspected", places["out"]),
            user,
            mounts,
            stage_environment(Path("/scratch")),
            ["-I", "-c", _PROGRAM, "/out/told.json"],
            ("--entrypoint=python",),
        )
    if code:
        raise Lost(f"{image}: the program that looks around ended with {code}")
    return json.loads((places["out"] / "told.json").read_text())


def faults_of(found: Mapping[str, Any], most_memory: int) -> Iterator[str]:
    """Yield what a container allows that no stage is to have."""
    if found["uid"] == 0 or found["gid"] == 0 or 0 in found["groups"]:
        yield f"it runs as {found['uid']}:{found['gid']}, groups {found['groups']}"
    if held := sorted(name for name, value in found["capabilities"].items() if value):
        yield f"it has capabilities: {', '.join(held)}"
    if not found["no_new_privileges"]:
        yield "it may gain privileges"
    if found["interfaces"] != ["lo"] or found["reached"] or found["resolved"]:
        yield f"it has a network: {found['interfaces']}, reached {found['reached']}"
    if outside := [folder for folder in found["writable"] if not _below(folder, (*_OWN, *_IN_MEMORY))]:
        yield f"it can write to {', '.join(outside[:5])}"
    if missing := [folder for folder in _OWN if folder not in found["writable"]]:
        yield f"it cannot write to {', '.join(missing)}"
    limits = found["limits"]
    if limits["memory"] is None or limits["memory"] > most_memory or limits["memory"] >= _UNLIMITED:
        yield f"its memory is bounded by {limits['memory']}, not by {most_memory}"
    if limits["processes"] is None:
        yield "it may start as many processes as it likes"


def _below(folder: str, roots: tuple[str, ...]) -> bool:
    return any(PurePosixPath(folder).is_relative_to(root) for root in roots)
