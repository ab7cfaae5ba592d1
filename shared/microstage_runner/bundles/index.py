"""What a bundle says that it is for: each field looked at before it becomes part of a path, a key or a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from microstage.errors import IntegrityError
from microstage.untrusted.printable import shown
from microstage_runner.artefacts.artefact import ENVELOPE, MANIFEST
from microstage_runner.artefacts.recipe import key_of
from microstage_runner.bundles import bundle
from microstage_runner.declarations.parameter import LARGEST_JSON

__all__ = ["ABOUT", "ARTEFACT", "IMAGE", "SOURCES", "read"]

ABOUT = ("stage", "key", "parameters", "inputs", "recipe")
SOURCES, INPUTS, IMAGE, ARTEFACT = "checkout/", "inputs/", "image.tar", "artefact/"
_LARGEST_MANIFEST, _LARGEST_IMAGE = 1 << 26, 1 << 36
_NAME = re.compile("[a-z][a-z0-9_]{0,63}")
_SHA256 = re.compile("[0-9a-f]{64}")
_LAYER = re.compile("sha256:[0-9a-f]{64}")


def read(path: Path) -> dict[str, Any]:
    """Return the index of the bundle `path`; raise `IntegrityError` that names the first field that neither `pack` nor
    `unpack` writes.
    """
    index = bundle.read_index(path)
    for name, sound in _FIELDS.items():
        try:
            fits = sound(index)
        except (KeyError, TypeError, AttributeError, ValueError):
            fits = False
        if not fits:
            given = _given(index, name)
            raise IntegrityError(f"{path} has an index whose {name} is nothing that this version packs{given}.")
    if stray := _stray(index):
        raise IntegrityError(f"{path} holds {shown(stray)}, which has no place in a bundle of its kind.")
    if lacking := _lacking(index):
        raise IntegrityError(f"{path} holds no {lacking}, or one that is too large to be that.")
    if key_of(index["about"]) != index["about"]["key"]:
        raise IntegrityError(f"{path} has parameters or inputs that are not those that its key names; pack it again.")
    return index


def _given(index: Mapping[str, Any], name: str) -> str:
    about = index.get("about")
    found = {**index, **(about if isinstance(about, dict) else {})}.get(name)
    return "" if found is None else f": {shown(found)}"


def _text(value: Any, most: int = 256) -> bool:
    return isinstance(value, str) and len(value) <= most and value.isprintable()


def _value(value: Any) -> bool:
    """Return whether `value` is one that a parameter or a note may have."""
    return _text(value, LARGEST_JSON) or type(value) in (bool, int, float, type(None))


def _named(found: Any, allowed: Callable[[Any], Any]) -> bool:
    return isinstance(found, dict) and all(_NAME.fullmatch(name) and allowed(value) for name, value in found.items())


def _recipe(found: Any) -> bool:
    others = {name: value for name, value in found.items() if name != "files"}
    digests = all(_SHA256.fullmatch(found[name]) for name in ("digest", "environment"))
    files = all(_text(name, 1024) and _SHA256.fullmatch(sha) for name, sha in found["files"].items())
    return digests and files and {"python", "libc"} <= others.keys() and _named(others, _text)


def _image(index: Mapping[str, Any]) -> bool:
    if "image" not in index:
        return "base" not in index
    image, base, stage = index["image"], index["base"], index["about"]["stage"]
    texts = _text(image["base"]) and _named(image["platform"], _text) and base.keys() == {"id", "reference"}
    own = image["stage"] == stage and image["tag"] == f"microstage/{stage}:{image['recipe'][:16]}"
    layers = all(_LAYER.fullmatch(layer) for layer in image["layers"]) and isinstance(image["layers"], list)
    fields = image.keys() == {"stage", "recipe", "tag", "base", "platform", "layers"}
    sha = _SHA256.fullmatch(image["recipe"]) is not None
    return texts and own and layers and fields and sha and all(map(_text, base.values()))


def _stray(index: Mapping[str, Any]) -> str | None:
    """Return the first file that has no place in a bundle of its kind."""
    if index["kind"] == "artefact":
        places: tuple[str, ...] = (ARTEFACT,)
    else:
        places = (SOURCES, *(f"{INPUTS}{name}/" for name in index["about"]["inputs"]))
    return next((n for n in index["files"] if not n.startswith(places) and (n != IMAGE or "image" not in index)), None)


def _lacking(index: Mapping[str, Any]) -> str | None:
    """Return a file without which a bundle of its kind is none, or that is too large to be what it is called."""
    needed = {ARTEFACT + MANIFEST: _LARGEST_MANIFEST} if index["kind"] == "artefact" else {}
    needed |= {ARTEFACT + ENVELOPE: 2 * _LARGEST_MANIFEST} if ARTEFACT + ENVELOPE in index["files"] else {}
    needed |= {IMAGE: _LARGEST_IMAGE} if "image" in index else {}
    return next((n for n, most in needed.items() if not 0 < index["files"].get(n, {"size": 0})["size"] <= most), None)


def _run(index: Mapping[str, Any]) -> bool:
    run = index.get("run", {})
    return _named(run, _value) and all(type(run.get(name, 0.0)) in (int, float) for name in ("seconds", "started"))


_FIELDS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "kind": lambda index: index["kind"] in ("stage", "artefact"),
    "about": lambda index: index["about"].keys() == {*ABOUT},
    "stage": lambda index: _NAME.fullmatch(index["about"]["stage"]),
    "parameters": lambda index: _named(index["about"]["parameters"], _value),
    "inputs": lambda index: _named(index["about"]["inputs"], _SHA256.fullmatch),
    "recipe": lambda index: _recipe(index["about"]["recipe"]),
    "key": lambda index: _SHA256.fullmatch(index["about"]["key"]),
    "image": _image,
    "run": _run,
}


def title(about: Mapping[str, Any]) -> str:
    """Return what the files of a bundle are called."""
    return f"{about['stage']}-{about['key'][:16]}"


def note(volumes: Path, about: Mapping[str, Any]) -> Path:
    """Return the file that says what was packed here, so that what comes home can be told from what does not."""
    return volumes / ".packed" / f"{title(about)}.json"
