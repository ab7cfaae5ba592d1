"""`MODEL=path/to/model.py`: a network of the user's own in one file, which is read here and run in the stages alone.

What the runner needs of it are literals, taken from its syntax tree: PARAMETERS, as a family has them, and FORM. Its
bytes enter the key of every stage that runs it; its name, without `.py`, is what the network is called.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microstage import models
from microstage.errors import ParameterError
from microstage.files.canonical import file_digest
from microstage.models.floats.parameters import PARAMETERS
from microstage.models.user_module import CLASSES, FILE, FLOATS, TRAINING
from microstage_runner.artefacts.places import Place
from microstage_runner.declarations.selection import SETTINGS
from microstage_runner.declarations.user_files import UserFiles

__all__ = ["UserModule", "is_path"]

_LARGEST = 1 << 20
_SYNTAX = (3, 10)  # of the stages that run it
_FIELDS = ("type", "default", "min", "max", "exclusive_min", "choices", "unit", "suffix", "summary")
_FORMS = (models.FEED_FORWARD, models.RECURRENT)
_DATASET = {
    "default": "own",
    "choices": ["own", "folder"],
    "summary": "What to train on: what the module makes by itself, or the files in DATA_DIR,"
    " all of which make up the key.",
}


def is_path(model: str) -> bool:
    """Return whether MODEL= names a file rather than a network of this checkout."""
    return model.endswith(".py") or "/" in model


@dataclass(frozen=True)
class UserModule:
    """One file, read; `parameters` and `form` as a family's package declares them."""

    path: Path
    source: bytes
    parameters: Mapping[str, Mapping[str, Any]]
    form: str

    @property
    def name(self) -> str:
        """What MODEL= is to the stages."""
        return self.path.stem

    @classmethod
    def read(cls, text: str) -> UserModule:
        """Return the file MODEL=`text` names; raise `ParameterError` for one that is missing, is no Python, or lacks
        what every module has.
        """
        path = Path(text)
        if not path.is_file():
            raise ParameterError(f"MODEL={text} is no file.")
        if not re.fullmatch(r"[a-z][a-z0-9_-]*\.py", path.name) or keyword.iskeyword(path.stem):
            raise ParameterError(
                f"MODEL={text}: a network is called as its file is; expected small letters, digits, - and _, and .py."
            )
        if path.stem in models.models():
            raise ParameterError(
                f"MODEL={text} has the name of a network of this checkout; call the file something else."
            )
        if path.stat().st_size > _LARGEST:
            raise ParameterError(
                f"MODEL={text} has {path.stat().st_size >> 10} KiB; a module has {_LARGEST >> 10} at most."
            )
        source = path.read_bytes()
        tree = _parsed(path.name, source)
        of_floats = FLOATS in _bases(tree, TRAINING)
        missing = [name for name in ([TRAINING] if of_floats else CLASSES) if name not in _bound(tree)]
        if missing:
            raise ParameterError(f"{path.name} has no class {missing[0]}; docs/adding-a-model.md shows a whole module.")
        form = _literal(path.name, tree, "FORM", models.FEED_FORWARD)
        if form not in _FORMS:
            raise ParameterError(f"{path.name} has FORM = {form!r}; expected one of {', '.join(_FORMS)}.")
        declared = _joined({"dataset": _DATASET, **(PARAMETERS if of_floats else {})}, _parameters(path.name, tree))
        return cls(path.resolve(), source, declared, form)

    def laid_out(self, volumes: Path) -> UserFiles:
        """Return a folder under `volumes` that holds the file and nothing beside it, as the stages see it."""
        place = Place(volumes, "model")
        file = place.folder / FILE
        file.write_bytes(self.source)
        return UserFiles(place, {FILE: file_digest(file)}, {FILE: self.path})


def _parsed(name: str, source: bytes) -> ast.Module:
    try:
        return ast.parse(source, name, feature_version=_SYNTAX)
    except (SyntaxError, ValueError) as error:  # ValueError: a zero byte, before CPython 3.12
        place, what = "", str(error)
        if isinstance(error, SyntaxError) and error.lineno:
            place, what = f", line {error.lineno}", error.msg
        raise ParameterError(f"{name}{place}: {what}; it is read as Python {_SYNTAX[0]}.{_SYNTAX[1]}.") from None


def _bound(tree: ast.Module) -> set[str]:
    """Return every class defined at the top of the module."""
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def _bases(tree: ast.Module, name: str) -> set[str]:
    """Return the dotted names of all that the class `name` is derived from, as far as the module tells."""
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            imported |= {alias.asname: alias.name for alias in node.names if alias.asname}
    found: list[str] = [name]
    for known in found:
        for base in classes[known].bases if known in classes else ():
            first, *rest = ast.unparse(base).split(".")
            dotted = ".".join([imported.get(first, first), *rest])
            found += [dotted] if dotted not in found else []
    return {*found}


def _joined(shared: Mapping[str, Mapping[str, Any]], own: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return all parameters; fields of a module's own stand over those that all such modules share."""
    return {name: {**shared.get(name, {}), **own.get(name, {})} for name in dict.fromkeys([*shared, *own])}


def _literal(name: str, tree: ast.Module, variable: str, default: Any) -> Any:
    """Return what the module assigns to `variable`, which must be a literal."""
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == variable for target in targets):
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                raise ParameterError(
                    f"{name}, line {node.lineno}: {variable} must be a literal,"
                    " as it is read before anything of the module runs."
                ) from None
    return default


def _parameters(name: str, tree: ast.Module) -> dict[str, dict[str, Any]]:
    declared = _literal(name, tree, "PARAMETERS", {})
    if not isinstance(declared, dict) or not all(isinstance(fields, dict) for fields in declared.values()):
        raise ParameterError(f"PARAMETERS in {name} must be a dictionary of dictionaries, one for each parameter.")
    for parameter, fields in declared.items():
        if not isinstance(parameter, str) or not re.fullmatch("[a-z][a-z0-9_]*", parameter) or parameter == "model":
            raise ParameterError(
                f"PARAMETERS in {name} has {parameter!r};"
                " a parameter's name is small letters, digits and _, and not model."
            )
        if parameter.upper() in SETTINGS:
            raise ParameterError(
                f"PARAMETERS in {name} has {parameter}, which is taken: {SETTINGS[parameter.upper()]}."
            )
        foreign = [field for field in fields if field not in _FIELDS]
        if foreign:
            raise ParameterError(
                f"PARAMETERS in {name}: {parameter} has a field {foreign[0]!r}; expected some of {', '.join(_FIELDS)}."
            )
    return declared
