"""A stage's image built twice without cache: equal layer digests, or the first layer and the first file that differ."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
import time
from dataclasses import replace
from pathlib import Path

from microstage_runner.engines.engine import Engine
from microstage_runner.engines.image_build import build, context
from microstage_runner.engines.images import Image, Images

__all__ = ["different_layer", "forget", "rebuild", "rebuild_once"]

# What the engine puts into every container that it makes.
_ENGINES = (".dockerenv", "dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/mtab", "etc/resolv.conf")


def rebuild(images: Images, stage: str, notes: Path) -> tuple[Image, Image]:
    """Build `stage` twice from nothing but its base and the sources as they are now; return both images.

    The logs go to `notes`.
    """
    return rebuild_once(images, stage, notes, 1), rebuild_once(images, stage, notes, 2)


def rebuild_once(images: Images, stage: str, notes: Path, number: int = 1) -> Image:
    """Return the image of `stage`, built without cache under a tag of its own; the log goes to `notes`."""
    known, files, engine = images.ensure(stage, verify=True), context(images.repository, stage), images.engine()
    tag, log = f"microstage/{stage}:rebuild-{number}", notes / f"build-{number}.log"
    options = ["--no-cache", f"--build-arg=BASE={known.base}", f"--build-arg=RECIPE={known.recipe}"]
    build(engine, images.repository, stage, files, "without cache", log, [tag], *options)
    return replace(known, tag=tag, layers=_layers(engine, tag))


def different_layer(images: Images, a: Image, b: Image) -> str | None:
    """Return None when all layers are equal; else a sentence that names the first that is not, what made it, and its
    first file.
    """
    pairs = zip(a.layers, b.layers)
    number = next((n for n, (x, y) in enumerate(pairs) if x != y), min(len(a.layers), len(b.layers)))
    if number == len(a.layers) == len(b.layers):
        return None
    made_by = _made_by(images.repository / "stages" / a.stage / "Dockerfile", len(a.layers) - 1 - number)
    first = _first_file(images.engine(), a.tag, b.tag)
    return f"The image of {a.stage} has other bytes from layer {number + 1} of {len(a.layers)} on{made_by}: {first}."


def forget(images: Images, built: Image) -> None:
    """Remove the tag of an image and what only that holds."""
    images.engine().call("image", "rm", built.tag)


def _layers(engine: Engine, tag: str) -> list[str]:
    return json.loads(engine.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", tag))


def _made_by(dockerfile: Path, from_top: int) -> str:
    """Return the Dockerfile's step behind a layer; empty for a layer of the base, whose history the engine may not
    know.
    """
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE))
    steps = re.findall(r"^(?:RUN|COPY|ADD)\b.*", text, re.MULTILINE)[::-1]
    return f" (`{' '.join(steps[from_top].split())[:100]}`)" if from_top < len(steps) else " (of the base)"


def _first_file(engine: Engine, a: str, b: str) -> str:
    one, other = _files(engine, a), _files(engine, b)
    for facts in (one, other):
        facts.get("etc", {}).pop("date", None)  # the engine writes in there
    name = next((n for n in sorted(one.keys() | other.keys()) if one.get(n) != other.get(n)), None)
    if name is None:
        return "the finished images hold the same files, so a later layer hides it"
    if name not in one or name not in other:
        return f"/{name} is in the {'first' if name in one else 'second'} build alone"
    what = next(fact for fact in one[name] if one[name][fact] != other[name][fact])
    return f"/{name} differs in its {what}, {one[name][what]} and {other[name][what]}"


def _files(engine: Engine, tag: str) -> dict[str, dict[str, object]]:
    """Return {path: its facts} of an image's file system, read through `docker export` of a
    container that never runs.
    """
    container = engine.run("create", tag)
    try:
        with subprocess.Popen(
            [*engine.command, "export", container], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        ) as client:
            with tarfile.open(fileobj=client.stdout, mode="r|") as archive:
                return {
                    member.name: _facts(archive, member)
                    for member in archive
                    if not member.name.rstrip("/").startswith(_ENGINES)
                }
    finally:
        engine.call("rm", container)


def _facts(archive: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, object]:
    content = hashlib.sha256()
    if member.isreg() and (handle := archive.extractfile(member)):
        while block := handle.read(1 << 20):
            content.update(block)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(member.mtime))
    return {
        "kind": member.type.decode(),
        "content": content.hexdigest()[:16],
        "target": member.linkname,
        "mode": oct(member.mode),
        "owner": f"{member.uid}:{member.gid}",
        "date": when,
    }
