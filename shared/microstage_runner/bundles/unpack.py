"""`make unpack`: run the stage of a bundle here, or publish the artefact that came home.

At home the artefact is checked against the key, so that the next `make` finds it done.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from microstage.errors import EnvironmentProblem, IntegrityError, ParameterError
from microstage.models.user_module import FILE
from microstage.untrusted.printable import shown
from microstage_runner.artefacts import notes
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.digests import Digests
from microstage_runner.artefacts.inputs import Input, all_files
from microstage_runner.artefacts.places import Place
from microstage_runner.artefacts.recipe import recipe
from microstage_runner.artefacts.store import Store
from microstage_runner.bundles import bundle, trusted
from microstage_runner.bundles import index as index_file
from microstage_runner.bundles.index import ARTEFACT, IMAGE, INPUTS, SOURCES, note, title
from microstage_runner.declarations.stages import MODULE, load_stage
from microstage_runner.engines import backend, image_archive
from microstage_runner.engines.backend import Backend
from microstage_runner.engines.containers import DockerBackend
from microstage_runner.engines.images import Image, Images
from microstage_runner.pipeline.pipeline import Pipeline
from microstage_runner.pipeline.step import Step

__all__ = ["unpack"]


def unpack(path: Path, store: Store, repository: Path, runner: str = "auto", trust: bool = False) -> str:
    """Do what the bundle is for, and return the sentence that says what was done.

    With `trust`, code of the bundle's own is run where it is not that of the checkout `repository`.
    """
    index = index_file.read(path)
    if index["kind"] == "artefact":
        return _take_home(path, index, store)
    about = index["about"]
    artefact = store.find(about["stage"], about["key"])
    if artefact is None or not store.keys.usable(artefact):
        artefact = _carry_out(path, index, store, repository, runner, trust)
    result = path.with_name(f"{title(about)}.artefact.tar")
    folder = artefact.checked()
    files = {f"{ARTEFACT}{name}": folder / name for name in (*artefact.statements, *artefact.files)}
    bundle.write(result, {"kind": "artefact", "about": about, "run": artefact.run}, files)
    return f"{about['stage']} is done; take {result} home and `make unpack BUNDLE={result.name}` there."


def _carry_out(
    path: Path, index: Mapping[str, Any], store: Store, repository: Path, runner: str, trust: bool
) -> Artefact:
    """Run the stage of a bundle; nothing is extracted before it is clear whose code would run."""
    with Place(store.volumes, "bundle") as folder:
        place = folder / "files"
        inputs = {name: _input(index, name, place) for name in index["about"]["inputs"]}
        different = trusted.first_difference(index, repository)
        checkout = place / SOURCES if different else repository
        chosen, why = backend.choose(runner, checkout, store.volumes)
        in_image = chosen if IMAGE in index["files"] and isinstance(chosen, DockerBackend) else None
        if not trust:
            trusted.assert_own_code(path, index, repository, different, in_image is not None)
        _extract(path, index, place)
        if in_image:
            in_image.images = _loaded_image(place, index, checkout)
        print(f"runner: {chosen.name} ({why})", flush=True)
        return _run(index["about"], inputs, store, checkout, chosen)


def _input(index: Mapping[str, Any], name: str, place: Path) -> Input:
    """Return an input that comes with a bundle, and is the one that the bundle's key names."""
    top = f"{INPUTS}{name}/"
    listed = {file.removeprefix(top): entry["sha256"] for file, entry in index["files"].items() if file.startswith(top)}
    found = Input(place / top, listed, partial(all_files, place / top), "it was unpacked", "unpack the bundle again")
    if found.digest != index["about"]["inputs"][name]:
        raise IntegrityError(f"The bundle's input {name!r} is not the one that its key names; pack it again.")
    return found


def _run(
    about: Mapping[str, Any], inputs: Mapping[str, Input], store: Store, checkout: Path, chosen: Backend
) -> Artefact:
    """Run the stage of `checkout`, if that has the recipe that the key names."""
    digests = Digests(store.volumes / ".cache" / "digests.json")
    try:
        stage = load_stage(checkout / "stages" / about["stage"] / "stage.toml")
        modules = [name for name, source in stage.inputs.items() if source == MODULE and name in inputs]
        module = next((inputs[name].checked() / FILE for name in modules), None)
        here = recipe(stage, checkout, chosen.platform(stage), digests, about["recipe"].get("model", ""), module)
    except (OSError, ParameterError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"The bundle's sources are none of a stage ({type(error).__name__}); pack it again."
        ) from None
    if stage.name != about["stage"]:
        raise IntegrityError(f"The bundle's sources are of another stage, {shown(stage.name)}; pack it again.")
    _assert_same_recipe(about["recipe"], here)
    step = Step(stage, dict(about), dict(inputs))
    return Pipeline({stage.name: stage}, {}, checkout, store, chosen).make(step).artefact


def _assert_same_recipe(packed: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    for name, what in (("python", "CPython"), ("libc", "C library")):
        if packed[name] != here[name]:
            raise EnvironmentProblem(
                f"The bundle was packed for {what} {packed[name]} and this machine would run {here[name]},"
                " which gives another key;"
                " pack it with IMAGE=1 and unpack it with RUNNER=docker."
            )
    if packed["environment"] != here["environment"]:
        raise EnvironmentProblem(
            "The bundle was packed by a microstage that pins other environment variables; use its version here."
        )
    if packed != here:
        raise IntegrityError("The bundle's sources are not those that its key names; pack it again.")


def _take_home(path: Path, index: Mapping[str, Any], store: Store) -> str:
    about = index["about"]
    if notes.read(note(store.volumes, about), dict) != about:
        raise IntegrityError(f"{path} answers no `make pack` of {store.volumes}; unpack it where it was packed for.")
    with Place(store.volumes, "bundle") as place:
        _extract(path, index, place / "files")
        artefact = store.adopt(about["stage"], about["key"], place / "files" / ARTEFACT)
    if not artefact.notes.exists():
        here = {name: value for name, value in index.get("run", {}).items() if not notes.is_place(name)}
        notes.write(artefact.notes / "run.json", here)
    store.describe(artefact)
    return f"{about['stage']}: published {artefact.path}, {len(artefact.files)} files verified."


def _extract(path: Path, index: Mapping[str, Any], place: Path) -> None:
    """Write the bundle's files into the new folder `place`, if it still is what its `index` said before."""
    if bundle.extract(path, place) != index:
        raise IntegrityError(f"{path} was changed while it was read.")


def _loaded_image(place: Path, index: Mapping[str, Any], checkout: Path) -> Images:
    """Let the engine have the bundle's image; return the images that know it."""
    images, image = Images(checkout, place), Image(**index["image"])
    if images.engine().call("image", "inspect", image.tag).returncode:  # what is here is never replaced
        image_archive.load(images.engine(), place / IMAGE, image.tag, image.layers, image.recipe)
    images.adopt(image, index["base"])
    return images
