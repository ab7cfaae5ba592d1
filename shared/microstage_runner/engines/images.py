"""The image of each stage: named by its recipe, built when missing, and remembered so that a no-op asks no engine.

A recipe is the Dockerfile, the lock, the sources and shared/microstage. What was learnt stands in `<volumes>/.images/`:
`bases.json`, and per image `<recipe>.json`, its bill of materials `<recipe>.cdx.json` and its
`<recipe>.provenance.json`.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from microstage.errors import IntegrityError
from microstage_runner.artefacts import licences, notes, sbom
from microstage_runner.artefacts.places import hold
from microstage_runner.engines import bases, image_registry
from microstage_runner.engines import offline as vendor
from microstage_runner.engines.engine import Engine, require
from microstage_runner.engines.foreseen import Foreseen
from microstage_runner.engines.image_build import build, context, default_base

__all__ = ["Image", "Images"]

Base = dict[str, str]
"""{"reference", "id"} of the image that a stage's image stands on."""
_PULL_SECONDS = 600
_HARDENED = ("--network=none", "--read-only", "--cap-drop=ALL", "--user=1000:1000")


@dataclass(frozen=True)
class Image:
    """One stage's image. `platform` is {"python": "3.10.13", "libc": "glibc 2.36"}; `layers` are content digests."""

    stage: str
    recipe: str
    tag: str
    base: str
    platform: dict[str, str]
    layers: list[str]


class Images:
    """The images of the checkout `repository` on one engine; what is known of them lies in `volumes`/.images."""

    def __init__(self, repository: Path, volumes: Path, host: str = "") -> None:
        self.repository, self.host = repository, host
        self.known = volumes / ".images" / re.sub(r"[^\w.@-]+", "-", host)

    def engine(self) -> Engine:
        """Return the engine that has, builds and runs them."""
        return require(self.host)

    def build_bases(self) -> None:
        """Build the stand-ins, or load those of VENDOR=, and use them from now on in any case."""
        if vendored := vendor.chosen():
            self._write("bases", {python: vendored.load_base(self.engine(), python) for python in bases.PYTHONS})
            return
        built = bases.build(self.engine())
        self._write("bases", {python: {"reference": bases.tag(python), "id": built[python]} for python in built})

    def build_images(self, stages: Iterable[str]) -> list[Image]:
        """Return the images of `stages` of the current recipe, built if missing."""
        print(f"images: {self.engine()}", flush=True)
        images = [self.ensure(stage, verify=True) for stage in stages]
        for image in images:
            print(f"images: {image.tag} (Python {image.platform['python']}, {image.platform['libc']}) on {image.base}")
        return images

    def ensure(self, stage: str, verify: bool = False) -> Image:
        """Return the stage's image, built if it is unknown or, with `verify`, if the engine has lost it."""
        image = self._remembered(stage)
        if image and (not verify or _exists(self.engine(), image.tag)):
            return image
        with self._lock(f"{stage}.lock"):
            return self._found(stage) or self._build(self.engine(), stage, self.base_of(stage))

    def pull(self, stage: str) -> Image | None:
        """Return the stage's image if it is here or in the registry that was chosen; nothing is built."""
        with self._lock(f"{stage}.lock"):
            return self._found(stage)

    def here(self, stage: str) -> tuple[Image, Base] | None:
        """Return the stage's image and its base as they were chosen, if the engine has the image."""
        image, base = self._remembered(stage), self._known_base(stage)
        return (image, base) if image and base and _exists(self.engine(), image.tag) else None

    def _found(self, stage: str) -> Image | None:
        if here := self.here(stage):
            return here[0]
        for base in self._possible_bases(stage) if image_registry.chosen() else ():
            recipe = self._recipe(stage, base)
            if image_registry.pull_image(self.engine(), stage, recipe):
                image = _inspect(self.engine(), stage, recipe, base)
                self.adopt(image, base)
                image_registry.pull_base(self.engine(), base)
                return image
        return None

    def _possible_bases(self, stage: str) -> list[Base]:
        """Return the base in use or, if none was chosen yet, each that the image in the registry may stand on."""
        default, python = default_base(self.repository, stage)
        if known := self.base_of(stage) if vendor.chosen() else self._known_base(stage):
            return [known]
        own = bases.tag(python)
        if _exists(self.engine(), own):
            stand_ins = [{"reference": own, "id": self.engine().run("image", "inspect", "--format", "{{.Id}}", own)}]
        else:
            stand_ins = list(image_registry.stand_ins(python))
        return [{"reference": default, "id": default}, *stand_ins]

    def base_of(self, stage: str) -> Base:
        """Return the base that the stage's image stands on: as chosen before, or else chosen now and kept."""
        known = self._known_base(stage)
        if known and _exists(self.engine(), known["reference"]):
            return known
        default, python = default_base(self.repository, stage)
        with self._lock("bases.lock"):
            chosen = _choose_base(self.engine(), default, python)
            self._write("bases", {**self._bases(), python: chosen})
        return chosen

    def _known_base(self, stage: str) -> Base | None:
        """Return the base that was chosen before, unless that was for an older Dockerfile."""
        default, python = default_base(self.repository, stage)
        known = self._bases().get(python)
        allowed = (default, bases.tag(python), bases.vendored_tag(python))
        return known if known and known["reference"] in allowed else None

    def adopt(self, image: Image, base: Base) -> None:
        """Take over an image that was built elsewhere and loaded here, if it is that of this checkout's recipe."""
        _, python = default_base(self.repository, image.stage)
        if image.recipe != self._recipe(image.stage, base):
            raise IntegrityError(f"The image of {image.stage} that came is not that of its sources; pack it again.")
        label = '{{index .Config.Labels "org.microstage.recipe"}}'
        if self.engine().run("image", "inspect", "--format", label, image.tag) != image.recipe:
            raise IntegrityError(
                f"The image {image.tag} that was loaded is not the one that its name says; pack it again."
            )
        self._write("bases", {**self._bases(), python: base})
        self._write(image.recipe, asdict(image))
        self._describe(image, base)

    def remembered(self, stage: str) -> Image | None:
        """Return the stage's image as it is known here, whether or not the engine still has it."""
        return self._remembered(stage)

    def foreseen(self, stage: str) -> Foreseen:
        """Return what is known of the image without building it."""
        image = self._remembered(stage)
        return Foreseen(image.platform) if image else Foreseen({}, f"image microstage/{stage}")

    def _remembered(self, stage: str) -> Image | None:
        base = self._known_base(stage)
        return notes.read(self.known / f"{self._recipe(stage, base)}.json", _image) if base else None

    def _build(self, engine: Engine, stage: str, base: Base) -> Image:
        files = context(self.repository, stage)  # once: what is built is what the recipe was made of
        recipe = _recipe(base, files)
        how = f"with {'BuildKit' if engine.buildkit else 'the legacy builder'}"
        tags = [f"microstage/{stage}:{recipe[:16]}", f"microstage/{stage}:latest"]
        options = [f"--build-arg=BASE={base['reference']}", f"--build-arg=RECIPE={recipe}"]
        build(engine, self.repository, stage, files, how, self.known / f"{stage}.log", tags, *options)
        image = _inspect(engine, stage, recipe, base)
        self._write(recipe, asdict(image))
        self._describe(image, base)
        return image

    def bill(self, stage: str) -> Path:
        """Return the bill of materials of the stage's image, its provenance beside it; make both if missing."""
        image = self.ensure(stage)
        path = self.known / f"{image.recipe}.cdx.json"
        if notes.read(path, lambda bill: licences.table(bill["components"])) is None:
            self._describe(self.ensure(stage, verify=True), self.base_of(stage))
        return path

    def _describe(self, image: Image, base: Base) -> None:
        found = json.loads(_read_inventory(self.engine(), image.tag))
        self._write(
            f"{image.recipe}.provenance",
            sbom.provenance_of_image(image, base, self.repository, context(self.repository, image.stage)),
        )
        self._write(f"{image.recipe}.cdx", sbom.of_image(image, self.repository, found))

    def _recipe(self, stage: str, base: Base) -> str:
        return _recipe(base, context(self.repository, stage))

    def _bases(self) -> dict[str, Base]:
        """Return the base chosen for each version of Python."""
        return notes.read(self.known / "bases.json", _chosen) or {}

    def _write(self, name: str, value: dict) -> None:
        notes.write(self.known / f"{name}.json", value)

    def _lock(self, name: str) -> AbstractContextManager[None]:
        return hold(self.known / name)


def _image(said: Any) -> Image:
    image = Image(**said)
    notes.assert_texts(image.stage, image.recipe, image.tag, image.base, *image.platform.values(), *image.layers)
    return image


def _chosen(said: Any) -> dict[str, Base]:
    found = {python: {"reference": base["reference"], "id": base["id"]} for python, base in said.items()}
    notes.assert_texts(*(text for base in found.values() for text in base.values()))
    return found


def _recipe(base: Base, files: bytes) -> str:
    return hashlib.sha256(base["id"].encode() + b"\n" + files).hexdigest()


def _choose_base(engine: Engine, default: str, python: str) -> Base:
    if vendored := vendor.chosen():
        return vendored.load_base(engine, python)
    try:
        pulled = engine.call("pull", "--quiet", default, timeout=_PULL_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        pulled = False
    if pulled:
        print(f"base: {default} from its registry", flush=True)
        return {"reference": default, "id": default}
    tag = bases.tag(python)
    print(f"base: no registry has {default.split('@')[0]}; using the stand-in {tag}", flush=True)
    if not _exists(engine, tag):
        return {"reference": tag, "id": bases.build(engine, [python])[python]}
    return {"reference": tag, "id": engine.run("image", "inspect", "--format", "{{.Id}}", tag)}


def _exists(engine: Engine, reference: str) -> bool:
    return engine.call("image", "inspect", reference).returncode == 0


def _inspect(engine: Engine, stage: str, recipe: str, base: Base) -> Image:
    tag = f"microstage/{stage}:{recipe[:16]}"
    layers = json.loads(engine.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", tag))
    return Image(stage, recipe, tag, base["reference"], json.loads(_read_platform(engine, tag)), layers)


def _read_platform(engine: Engine, tag: str) -> str:
    return engine.run("run", "--rm", *_HARDENED, "--entrypoint=cat", tag, "/opt/platform.json")


def _read_inventory(engine: Engine, tag: str) -> str:
    program = Path(licences.__file__).read_bytes()
    return engine.run("run", "--rm", "--interactive", *_HARDENED, "--entrypoint=python", tag, "-I", "-", input=program)
