"""`make pack` and `make unpack`: one stage done on another machine, without a network between the two.

`pack` writes what the stage reads, its recipe, and its image if asked. `unpack` there runs that stage alone and packs its
artefact; `unpack` at home checks the artefact against the key and publishes it, so that the next `make` finds it done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from microstage.canonical import file_digest
from microstage.errors import EnvironmentProblem, IntegrityError
from microstage.models.own import FILE
from microstage.runner import backend, bundle, notes
from microstage.runner.artefact import Artefact
from microstage.runner.chain import Chain, Step
from microstage.runner.declarations import MODULE, load_stage
from microstage.runner.digests import Digests
from microstage.runner.images import context_files
from microstage.runner.inputs import Input, all_files
from microstage.runner.places import Place
from microstage.runner.recipe import key_of, recipe
from microstage.runner.store import Store

__all__ = ["pack", "unpack"]

_ABOUT = ("stage", "key", "parameters", "inputs", "recipe")


def pack(chain: Chain, target: str, path: Path | None = None, image: bool = False) -> Path:
    """Write the bundle of `target` (by default beside the working folder's files) and return its path."""
    step = chain.prepare(target)
    about = {name: step.about[name] for name in _ABOUT}
    path = path or Path(f"{_title(about)}.tar")
    files = {f"checkout/{file.relative_to(chain.repository)}": file for file in context_files(chain.repository, target)}
    for name, given in step.inputs.items():
        folder = given.checked()
        files |= {f"inputs/{name}/{file}": folder / file for file in given.listed}
    with _saved_image(chain.store, target, chain.repository, image) as (extra, saved):
        bundle.write(path, {"kind": "stage", "about": about, **extra}, files | saved)
    notes.write(_note(chain.store, about), about)
    return path


def unpack(path: Path, store: Store, runner: str) -> str:
    """Do what the bundle is for, and return the sentence that says what was done."""
    index = bundle.read_index(path)
    kinds = {"stage": _carry_out, "artefact": _take_home}
    if index.get("kind") not in kinds or not isinstance(index.get("about"), dict) or not set(_ABOUT) <= index["about"].keys():
        raise IntegrityError(f"{path} is a bundle of a kind that this version does not know: {index.get('kind')!r}.")
    return kinds[index["kind"]](path, index, store, runner)


def _carry_out(path: Path, index: Mapping[str, Any], store: Store, runner: str) -> str:
    about = index["about"]
    artefact = store.find(about["stage"], about["key"])
    if artefact is None or not store.keys.usable(artefact):
        with _extracted(path, store) as place:
            artefact = _run(place, index, store, runner)
    result = path.with_name(f"{_title(about)}.artefact.tar")
    folder = artefact.checked()
    files = {f"artefact/{name}": folder / name for name in (*artefact.statements, *artefact.files)}
    bundle.write(result, {"kind": "artefact", "about": about, "run": artefact.run}, files)
    return f"{about['stage']} is done; take {result} home and `make unpack BUNDLE={result.name}` there."


def _run(place: Path, index: Mapping[str, Any], store: Store, runner: str) -> Artefact:
    about, checkout = index["about"], place / "checkout"
    if key_of(about) != about["key"]:
        raise IntegrityError("The bundle's parameters or inputs are not those that its key names; pack it again.")
    inputs = {name: _input(place / "inputs" / name) for name in about["inputs"]}
    for name, given in inputs.items():
        if given.digest != about["inputs"][name]:
            raise IntegrityError(f"The bundle's input {name!r} is not the one that its key names; pack it again.")
    stage = load_stage(checkout / "stages" / about["stage"] / "stage.toml")
    chosen, why = backend.choose(runner, checkout, store.volumes)
    if "image" in index and chosen.name == "docker":
        chosen.images = _loaded_image(place, index, checkout)
    print(f"runner: {chosen.name} ({why})", flush=True)
    digests = Digests(store.volumes / ".cache" / "digests.json")
    module = next((inputs[name].checked() / FILE for name, source in stage.inputs.items() if source == MODULE and name in inputs), None)
    here = recipe(stage, checkout, chosen.platform(stage), digests, about["recipe"].get("model"), module)
    _assert_same_recipe(about["recipe"], here)
    step = Chain({stage.name: stage}, {}, checkout, store, chosen).make(Step(stage, about, inputs, None))
    return step.artefact


def _assert_same_recipe(packed: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    for name, what in (("python", "CPython"), ("libc", "C library")):
        if packed[name] != here[name]:
            raise EnvironmentProblem(
                f"The bundle was packed for {what} {packed[name]} and this machine would run {here[name]}, which gives another key;"
                " pack it with IMAGE=1 and unpack it with RUNNER=docker."
            )
    if packed["environment"] != here["environment"]:
        raise EnvironmentProblem("The bundle was packed by a microstage that pins other environment variables; use its version here.")
    if packed != here:
        raise IntegrityError("The bundle's sources are not those that its key names; pack it again.")


def _take_home(path: Path, index: Mapping[str, Any], store: Store, runner: str) -> str:
    about = index["about"]
    note = _note(store, about)
    if notes.read(note, dict) != about:
        raise IntegrityError(f"{path} answers no `make pack` of {store.volumes}; unpack it where it was packed for.")
    with _extracted(path, store) as place:
        artefact = store.adopt(about["stage"], about["key"], place / "artefact")
    if not artefact.notes.exists():
        notes.write(artefact.notes / "run.json", index.get("run", {}))
    store.describe(artefact)
    return f"{about['stage']}: published {artefact.place}, {len(artefact.files)} files verified."


@contextmanager
def _extracted(path: Path, store: Store) -> Iterator[Path]:
    """The bundle's files in a folder on the volume, gone afterwards."""
    with Place(store.volumes, "bundle") as place:
        bundle.extract(path, place / "files")
        yield place / "files"


@contextmanager
def _saved_image(store: Store, stage: str, repository: Path, wanted: bool) -> Iterator[tuple[dict[str, Any], dict[str, Path]]]:
    if not wanted:
        yield {}, {}
        return
    from microstage.runner.images import Images

    images = Images(repository, store.volumes)
    image = images.ensure(stage, verify=True)
    with Place(store.volumes, "image") as place:
        print(f"pack: saving {image.tag} ...", flush=True)
        images.engine().run("save", "--output", str(place / "image.tar"), image.tag)
        yield {"image": asdict(image), "base": images.base_of(stage)}, {"image.tar": place / "image.tar"}


def _loaded_image(place: Path, index: Mapping[str, Any], checkout: Path):
    from microstage.runner.images import Image, Images

    images = Images(checkout, place)
    images.engine().run("load", "--input", str(place / "image.tar"))
    images.adopt(Image(**index["image"]), index["base"])
    return images


def _input(folder: Path) -> Input:
    """An input that came with a bundle."""
    find = partial(all_files, folder)
    listed = {file.relative_to(folder).as_posix(): file_digest(file) for file in find()}
    return Input(folder, listed, find, "it was unpacked", "unpack the bundle again")


def _title(about: Mapping[str, Any]) -> str:
    return f"{about['stage']}-{about['key'][:16]}"


def _note(store: Store, about: Mapping[str, Any]) -> Path:
    """What was packed here, so that what comes home can be told from what does not."""
    return store.volumes / ".packed" / f"{_title(about)}.json"
