"""`make pack`: one stage's inputs, sources and, if asked, image in one file, to be done on another machine.

`unpack` there runs that stage alone and packs its artefact; `unpack` at home publishes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from microstage_runner.artefacts import notes
from microstage_runner.artefacts.places import Place
from microstage_runner.artefacts.store import Store
from microstage_runner.bundles import bundle
from microstage_runner.bundles.index import ABOUT, IMAGE, INPUTS, SOURCES, note, title
from microstage_runner.engines.image_build import context_files
from microstage_runner.engines.images import Images
from microstage_runner.pipeline.pipeline import Pipeline

__all__ = ["pack"]


def pack(pipeline: Pipeline, target: str, path: Path | None = None, image: bool = False) -> Path:
    """Write the bundle of `target` (by default beside the working folder's files) and return its path."""
    step = pipeline.prepare(target)
    about = {name: step.about[name] for name in ABOUT}
    path = path or Path(f"{title(about)}.tar")
    files = {
        f"{SOURCES}{file.relative_to(pipeline.repository)}": file for file in context_files(pipeline.repository, target)
    }
    for name, given in step.inputs.items():
        folder = given.checked()
        files |= {f"{INPUTS}{name}/{file}": folder / file for file in given.listed}
    with _saved_image(pipeline.store, target, pipeline.repository, image) as (extra, saved):
        bundle.write(path, {"kind": "stage", "about": about, **extra}, files | saved)
    notes.write(note(pipeline.store.volumes, about), about)
    return path


@contextmanager
def _saved_image(
    store: Store, stage: str, repository: Path, wanted: bool
) -> Iterator[tuple[dict[str, Any], dict[str, Path]]]:
    if not wanted:
        yield {}, {}
        return
    images = Images(repository, store.volumes)
    image = images.ensure(stage, verify=True)
    with Place(store.volumes, "image") as place:
        print(f"pack: saving {image.tag} ...", flush=True)
        images.engine().run("save", "--output", str(place / IMAGE), image.tag)
        yield {"image": asdict(image), "base": images.base_of(stage)}, {IMAGE: place / IMAGE}
