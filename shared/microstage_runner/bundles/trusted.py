"""Whose code `make unpack` runs: that of this checkout, or, with TRUST=1, that of whoever packed the bundle.

Three things in a bundle are code: the sources of its stage, a user's network (MODEL=), and an image. Digests say that
they came as they were packed, not what they do; so each is refused unless it is this checkout's own or trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from microstage.errors import IntegrityError, ParameterError
from microstage.files.canonical import file_digest
from microstage.models.user_module import FILE
from microstage.untrusted.printable import shown
from microstage_runner.bundles.index import IMAGE, INPUTS, SOURCES
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.stages import MODULE, load_stage
from microstage_runner.engines.image_build import context_files

__all__ = ["assert_own_code", "first_difference"]


def first_difference(index: Mapping[str, Any], repository: Path) -> str | None:
    """Return the first file of the bundle's sources that `repository` does not have with the same bytes, or that they
    lack.
    """
    stage = repository / "stages" / index["about"]["stage"]
    sources = [name for name in index["files"] if name.startswith(SOURCES)]
    packed = {name.removeprefix(SOURCES): index["files"][name]["sha256"] for name in sources}
    own = context_files(repository, stage.name) if (stage / "stage.toml").is_file() else []
    here = {file.relative_to(repository).as_posix(): file for file in own}
    for name in sorted(packed.keys() | here.keys()):
        if name not in packed or name not in here or file_digest(here[name]) != packed[name]:
            return name
    return None


def assert_own_code(path: Path, index: Mapping[str, Any], repository: Path, different: str | None, image: bool) -> None:
    """Raise `IntegrityError` if `path` would run what is not this checkout's, `ParameterError` for what its stage does
    not take.

    `different` is the `first_difference`, `image` whether the bundle's image would be loaded.
    """
    about = index["about"]
    foreign = f"sources that differ from this checkout, first {shown(different)}" if different else None
    if not foreign:
        inputs = load_stage(repository / "stages" / about["stage"] / "stage.toml").inputs
        module = next((name for name in about["inputs"] if inputs.get(name) == MODULE), None)
        foreign = module and f"a network of somebody's own, {INPUTS}{module}/{FILE}"
    foreign = foreign or (f"an image of its own, {IMAGE}" if image else None)
    if foreign:
        raise IntegrityError(f"{path} brings {foreign}; nothing of it was run. TRUST=1 runs what its packer wrote.")
    _assert_declared(about, repository)


def _assert_declared(about: Mapping[str, Any], repository: Path) -> None:
    """Check that the parameters are those of the stage, each with a value that could be typed."""
    stage, given = load_stages(repository)[about["stage"]], about["parameters"]
    with_files = {**stage.parameters, **(stage.user_input.parameters if stage.user_input else {})}
    declared = {name: own for name, p in with_files.items() if (own := p.of(given.get("model")))}
    for name, value in given.items():
        own = declared.get(name)
        if own is None or not (value == own.default or own.parse(str(value)) == value):  # by default, it may be ""
            raise ParameterError(f"The bundle's {name.upper()}={shown(value)} is nothing that {stage.name} takes.")
    if missing := sorted(declared.keys() & stage.parameters.keys() - given.keys()):
        raise ParameterError(f"The bundle's {stage.name} lacks {missing[0].upper()}.")
