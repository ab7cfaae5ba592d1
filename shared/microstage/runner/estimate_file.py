"""`make estimate-file FILE= CHANNEL=`: what a published network reads off a recording, beside the full-window DFT.

Three steps, each in the environment of the stage that has what it needs, in containers or not: train's reads and resamples, qcdq's
runs the integers, train's draws. The result is no artefact of any key's: `volumes/estimates/<file>-<key>/`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from microstage.canonical import digest, file_digest
from microstage.errors import ArtefactError, ParameterError
from microstage.runner.chain import Chain, Step
from microstage.runner.inputs import Input, opened
from microstage.runner.places import Place

__all__ = ["estimate_file", "selections"]

_KINDS = ("current", "voltage")
_FREQUENCIES = ("60", "50")
_SUFFIXES = (".cfg", ".cff", ".csv", ".tsv")


def selections(typed: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Selections of an artefact, best first: a network knows neither amperes from volts nor 50 from 60 Hz, so any of these will do."""
    rest = {name: value for name, value in typed.items() if name not in ("FILE", "CHANNEL", "FREQUENCY")}
    for kind in _first(typed.get("CHANNEL"), _KINDS):
        for frequency in _first(typed.get("FREQUENCY"), _FREQUENCIES):
            yield {**rest, "CHANNEL": kind, "FREQUENCY": frequency}


def _first(value: str | None, known: tuple[str, ...]) -> list[str]:
    return sorted(known, key=lambda other: other != value)


def estimate_file(typed: Mapping[str, str], chain_of: Callable[[dict[str, str]], Chain]) -> None:
    """Print and draw; `MicrostageError` for bad input, which leaves nothing behind."""
    path = _recording(typed.get("FILE"))
    channel, frequency = typed.get("CHANNEL", "current"), typed.get("FREQUENCY", "60")
    if frequency not in _FREQUENCIES:
        raise ParameterError(f"FREQUENCY={frequency} is not allowed: expected 50 or 60, the nominal mains frequency of the recording.")
    chain, step = _published(typed, chain_of)
    chosen = step.about["key"]
    taken = {file.name: file_digest(file) for file in _files(path)}
    key = digest([taken, chosen, channel, frequency])[:16]
    print(f"artefact: qcdq {chosen[:16]} in {step.artefact.place}", flush=True)
    result = chain.store.volumes / "estimates" / f"{path.stem}-{key}"
    with Place(chain.store.volumes, "estimate") as made:
        windows, network, drawn = made / "windows", made / "network", made / "drawn"
        recording = Input(path.parent, taken, partial(_files, path), "it was first read", "run the same command again")
        with opened({"recording": recording, "model": step.artefact.input}, "it was estimated") as folders:
            asked = {"file": path.name, "channel": channel, "frequency": int(frequency)}
            _step(chain, "train", "windows", folders, windows, asked)
            _step(chain, "qcdq", "integers", {"windows": windows, "model": folders["model"]}, network, {})
        _step(chain, "train", "drawing", {"windows": windows, "network": network}, drawn, {"title": f"{path.name}, {channel}"})
        (drawn / "report.json").unlink()
        result.parent.mkdir(exist_ok=True)
        shutil.rmtree(result, ignore_errors=True)
        drawn.rename(result)
    print(f"\nresult: {result}")


def _recording(name: str | None) -> Path:
    if not name:
        raise ParameterError("FILE= is missing: a COMTRADE record (.cff, or .cfg with its .dat beside it) or a CSV file.")
    path = Path(name).resolve()
    if path.suffix.lower() not in _SUFFIXES:
        raise ParameterError(f"FILE={name} is neither .cfg or .cff (COMTRADE) nor .csv or .tsv.")
    if not (path.is_file() and os.access(path, os.R_OK)):
        raise ParameterError(f"FILE={name} is not a file that can be read.")
    return path


def _files(path: Path) -> list[Path]:
    """The recording's own files: a configuration's data lie beside it under the same stem."""
    return [path, *(p for p in path.parent.glob("*") if p.stem.lower() == path.stem.lower() and p.suffix.lower() == ".dat")]


def _published(typed: Mapping[str, str], chain_of: Callable[[dict[str, str]], Chain]) -> tuple[Chain, Step]:
    for selection in selections(typed):
        chain = chain_of(selection)
        step = list(chain.steps("qcdq"))[-1]
        if step.stage.name == "qcdq" and step.artefact:
            chain.store.keys.require(step.artefact)
            return chain, step
    raise ArtefactError("No network of this selection is published; `make qcdq` with the same variables (not FILE or CHANNEL) makes one.")


def _step(chain: Chain, stage: str, module: str, inputs: Mapping[str, Path], output: Path, parameters: dict[str, Any]) -> None:
    scratch = output.with_name(output.name + ".scratch")
    output.mkdir()
    scratch.mkdir()
    code = chain.backend.run(chain.stages[stage], inputs=inputs, parameters=parameters, output=output, scratch=scratch,
                             module=f"microstage.estimation.{module}")
    if code:
        raise chain.store.failed(f"estimate-{module}", scratch, code, "Nothing was estimated and nothing written; the reason is above.")
