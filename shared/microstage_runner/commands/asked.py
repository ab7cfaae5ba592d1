"""The networks that `make bench`, `prove` and `footprint` are asked for: lists in MODEL=, ONNX= and RUN=, or all drawn
ones.

A parameter goes to every network that has it, and a list of values makes a network of each.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from microstage.errors import ParameterError
from microstage_bench.names import FOOTPRINT, NETWORKS
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.selection import SETTINGS
from microstage_runner.declarations.spelling import declared_name, nearest
from microstage_runner.declarations.stages import TRAINING, of_role
from microstage_runner.declarations.user_module import is_path
from microstage_runner.process import REPOSITORY
from microstage_runner.session import Session

__all__ = ["Asked", "listed", "number"]

_CHOOSING = ("MODEL", "ONNX", "RUN", "GOLDEN", "CALIBRATION", "TFLITE", "BASELINE")
_OWN = ("AGAINST", "CC", "MACHINE", "ROUNDS", "SECONDS", "VECTORS")
"Variables of the commands themselves, which no session of a run sees."


@dataclass(frozen=True)
class Asked:
    """One network: its title, the variables that choose its run, and what goes with it: "tflite" and "baseline",
    paths.
    """

    name: str
    typed: Mapping[str, str]
    drawn: bool
    beside: Mapping[str, Path]

    @classmethod
    def read(cls, typed: Mapping[str, str], usual: Sequence[str]) -> list[Asked]:
        """Return the networks that `typed` asks for; raise `ParameterError` for what is unknown, goes with nothing, or
        is used by none of the networks.
        """
        settings = {
            name: value for name, value in typed.items() if name in SETTINGS and name not in (*_CHOOSING, *_OWN)
        }
        parameters = {name: value for name, value in typed.items() if name not in SETTINGS and name not in _CHOOSING}
        found = [one._titled(settings) for one in _chosen(typed, usual)]
        if "BASELINE" in typed and not any("baseline" in one.beside for one in found):
            names = " or ".join(one.name for one in found)
            raise ParameterError(
                f"BASELINE={typed['BASELINE']} holds no C of {names}: expected a folder of such a name in it."
            )
        having = [one._has(settings) for one in found]
        _assert_used(parameters, having, found, settings)
        asked = [
            replace(other, typed={**settings, **other.typed})
            for one, known in zip(found, having)
            for other in one._spread({n: v for n, v in parameters.items() if n in known})
        ]
        for one in asked:
            if not one.drawn:
                one.session({})
        return asked

    def session(self, more: Mapping[str, str]) -> Session:
        """Return its selection, which raises for what is not allowed; a drawn network's needs its file (`drawn`)."""
        return Session(REPOSITORY, {**more, **self.typed, **({"ONNX": ""} if self.drawn else {})})

    def _titled(self, settings: Mapping[str, str]) -> Asked:
        """Return it named by its network, where it is a run's id that was typed."""
        if "RUN" not in self.typed:
            return self
        session = self.session(settings)
        model = session.parameters[of_role(session.stages, TRAINING)]["model"]
        return replace(self, name=f"{model} RUN={self.name}")

    def _has(self, settings: Mapping[str, str]) -> set[str]:
        """Return the names of its stages' parameters, as they are typed."""
        return {name.upper() for own in self.session(settings).parameters.values() for name in own}

    def _spread(self, parameters: Mapping[str, str]) -> Iterator[Asked]:
        """Yield one network per combination of listed values, named by those that vary."""
        values = [[(name, value) for value in text.split(",")] for name, text in parameters.items()]
        for combination in itertools.product(*values):
            varied = [f"{name}={value}" for name, value in combination if value != parameters[name]]
            yield replace(self, name=" ".join([self.name, *varied]), typed={**self.typed, **dict(combination)})


def _assert_used(
    parameters: Mapping[str, str], having: Sequence[set[str]], found: Sequence[Asked], settings: Mapping[str, str]
) -> None:
    """Raise `ParameterError` for a parameter that none of the networks `found` has; `having` are the names of each."""
    for name, value in parameters.items():
        if any(name in known for known in having):
            continue
        first = found[0]
        first.session({**settings, name: value} if first.typed.keys() == {"MODEL"} else {})  # may know better
        names = ", ".join(one.name for one in found)
        raise ParameterError(f"{name}={value} is nothing that {names} has a use for: leave it out.")


def _chosen(typed: Mapping[str, str], usual: Sequence[str]) -> Iterator[Asked]:
    models, runs, files = (typed[name].split(",") if name in typed else [] for name in ("MODEL", "RUN", "ONNX"))
    models = [_declared(model) for model in models]
    for file in files:
        if not Path(file).is_file():
            raise ParameterError(f"ONNX={file} is no file.")
    tflite = _beside(typed, "TFLITE", files)
    others = {name: _beside(typed, name, files) for name in ("GOLDEN", "CALIBRATION")}
    before = typed.get("BASELINE")
    alone = len(models) + len(runs) + len(files) == 1
    for model in models or ([] if runs or files else usual):
        drawn = model in FOOTPRINT
        yield Asked(
            Path(model).stem if is_path(model) else model,
            {} if drawn else {"MODEL": model},
            drawn,
            _baseline(before, model, alone),
        )
    for run in runs:
        yield Asked(run, {"RUN": run}, False, _baseline(before, run, alone))
    for place, file in enumerate(files):
        name = Path(file).stem
        with_it = {"tflite": tflite[place]} if tflite else {}
        chosen = {"ONNX": file, **{name: str(paths[place]) for name, paths in others.items() if paths}}
        yield Asked(name, chosen, False, {**with_it, **_baseline(before, name, alone)})


def _declared(model: str) -> str:
    """Return the name of a network that is drawn or trained here, or a file; raise `ParameterError` for another."""
    trained = [
        name
        for stage in load_stages(REPOSITORY).values()
        if "model" in stage.parameters
        for name in stage.parameters["model"].choices or ()
    ]
    name = declared_name(model, [*FOOTPRINT, *trained], "MODEL")
    if name not in (*FOOTPRINT, *trained) and not is_path(model):
        near = nearest(model, [*FOOTPRINT, *trained])
        hint = f"; did you mean {near}?" if near else "."
        raise ParameterError(f"MODEL={model} is not known: expected one of {', '.join([*NETWORKS, *trained])}{hint}")
    return name


def _beside(typed: Mapping[str, str], variable: str, files: Sequence[str]) -> list[Path]:
    """Return a file for each of ONNX=, in the same order; none at all where the variable was not typed."""
    paths = [Path(text) for text in typed[variable].split(",")] if variable in typed else []
    if paths and len(paths) != len(files):
        raise ParameterError(
            f"{variable}={typed[variable]} names {len(paths)} files and ONNX= {len(files)}:"
            " give one for each, in the same order."
        )
    for path in paths:
        if not path.is_file():
            raise ParameterError(f"{variable}={path} is no file.")
    return paths


def _baseline(before: str | None, name: str, alone: bool) -> dict[str, Path]:
    """Return the folder of a network's earlier C: one of its name in BASELINE=, or BASELINE= itself where one network
    is asked for.
    """
    if before is None:
        return {}
    folder = next(
        (path for path in (Path(before) / name, *([Path(before)] if alone else [])) if any(path.glob("*.h"))), None
    )
    return {} if folder is None else {"baseline": folder}


def listed(typed: Mapping[str, str], variable: str, usual: Sequence[str], more: Sequence[str] = ()) -> list[str]:
    """Return what a comma-separated variable chooses of `usual` and `more`; all that is usual where it is missing."""
    chosen, known = typed[variable].split(",") if variable in typed else list(usual), (*usual, *more)
    for name in chosen:
        if name not in known:
            raise ParameterError(f"{variable}={name} is not known: expected {', '.join(known)}.")
    return chosen


def number(typed: Mapping[str, str], variable: str, usual: int) -> int:
    """Return what was typed for `variable`, a whole number from 1 on; `usual` where nothing was."""
    text = typed.get(variable, str(usual))
    if not text.isdigit() or int(text) < 1:
        raise ParameterError(f"{variable}={text} is not allowed: expected a whole number from 1 on.")
    return int(text)
