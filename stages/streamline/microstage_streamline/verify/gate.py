"""After a conversion: the untouched file beside our integers, layer by layer (or the stage ends), and whole (a figure)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from microstage.errors import VerificationError
from microstage.integer import real
from microstage.onnx_file import read_onnx
from microstage.stage import Job
from microstage_streamline.convert import Converted
from microstage_streamline.verify.executors import CannotRun, Untouched
from microstage_streamline.verify.layers import Layer, Layers
from microstage_streamline.verify.samples import Samples, is_raw, of_reals, of_vectors

__all__ = ["compare_with_file"]

_WHOLE = 64  # samples of the whole file
_NAMED = 5


def compare_with_file(
    job: Job, path: Path, part: Converted, fed: Mapping[str, Any], recorded: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray] | None,
) -> dict[str, Any]:
    """{"layers", "the file", "GOLDEN"}: what was compared of the file in `path` and how it came out, as recorded in metrics.

    `fed` are the inputs of the reference, `recorded` what the integer graph made of them, `arrays` the user's own inputs and outputs.
    `VerificationError` for the first layer of which an executor makes something else; and for what no executor can run, unless the
    parameter `uncompared` lets that pass.
    """
    samples, steps = of_vectors(part.normal, part.written, fed, recorded), _steps(part)
    file = Untouched(read_onnx(path))
    found = {"layers": _layers(job, file, part, samples), "the file": _whole(file, samples, steps)}
    if arrays is not None:
        found["GOLDEN"] = _expected(arrays, samples.answers, steps)
    for what in ("the file", "GOLDEN"):
        _say_difference(job, what, found.get(what, {}))
    return found


def _layers(job: Job, file: Untouched, part: Converted, samples: Samples) -> dict[str, Any]:
    layers, reals = Layers(file, part.normal, part.made), of_reals(part.normal, part.written)
    layers.compare(samples, layers.layers)
    if reals is not None:
        layers.compare(reals, layers.entries)
    uncompared = {_called(layer): layer.reason or "no inputs of it are known" for layer in layers.layers if not layer.inputs}
    uncompared = uncompared or ({} if layers.layers else {"the file": "none of its tensors is integers here"})
    _say_uncompared(job, uncompared)
    compared = [layer for layer in layers.layers if layer.inputs]
    cut = {_called(layer): [layer.inputs, layer.offered] for layer in compared if layer.inputs < layer.offered}
    for layer in compared:
        job.verified(f"file {layer.tensor}", layer.values, layer.values - layer.ties, layer.ties)
    found = {"by": sorted({name for layer in compared for name in layer.program.by}), "layers": len(compared),
             "values": sum(layer.values for layer in compared), "ties": sum(layer.ties for layer in compared)}
    _say_layers(job, found, cut)
    return {**found, "cut_short": cut, "uncompared": uncompared}


def _called(layer: Layer) -> str:
    return f"{layer.name} -> {layer.tensor}"


def _say_uncompared(job: Job, uncompared: Mapping[str, str]) -> None:
    """`VerificationError` for what was not compared, unless the user lets that pass."""
    for name, reason in uncompared.items():
        job.log(f"streamline: NOT COMPARED with the file at {name}: {reason}")
    if uncompared and not job.parameters.get("uncompared"):
        (name, reason), *more = uncompared.items()
        others = f" (and {len(more)} more layers)" if more else ""
        raise VerificationError(f"No executor could check {name}{others}: {reason}; UNCOMPARED=1 goes on without.")


def _say_layers(job: Job, found: Mapping[str, Any], cut: Mapping[str, Any]) -> None:
    by = " and ".join(found["by"]) or "nothing"
    job.log(f"streamline: {found['layers']} layers of the file beside {by}: {found['values']} values, {found['ties']} explained ties")
    said = [f"{inputs} of {offered} inputs at {name}" for name, (inputs, offered) in cut.items()]
    if said:
        more = f", and so on at {len(said) - _NAMED} more layers" if len(said) > _NAMED else ""
        job.log(f"streamline: cut short, compared {', '.join(said[:_NAMED])}{more}")


def _whole(file: Untouched, samples: Samples, steps: Mapping[str, float]) -> dict[str, Any]:
    """{"by", output: difference} of the whole file, run on by itself; only "by" says why, where that cannot be."""
    outputs, some = [name for name in samples.answers if name in file.makers], samples.of(range(min(samples.count, _WHOLE)))
    program = file.program(outputs, set())
    if not outputs or not samples.entries.keys() >= set(program.sources):
        return {"by": "nothing: no tensor of the file is where integers end" if not outputs else "nothing: no integers stand for its real input"}
    try:
        kinds = {name: file.kind(name) for name in program.sources}
        found = program.run({name: real(some.entries[name]).astype(kind) for name, kind in kinds.items()})
    except CannotRun as error:
        return {"by": f"nothing: {error}"}
    return {"by": " and ".join(sorted(program.by)), **{name: _difference(found[name], some.answers[name], steps[name]) for name in outputs}}


def _expected(arrays: Mapping[str, np.ndarray], answers: Mapping[str, np.ndarray], steps: Mapping[str, float]) -> dict[str, Any]:
    """{output: how the user's expected values compare}; whole numbers that an output of whole numbers contradicts are a `VerificationError`."""
    found = {}
    for name, exact in answers.items():
        if name not in arrays:
            continue
        if arrays[name].size != exact.size:
            raise VerificationError(f"GOLDEN has {name} of shape {list(arrays[name].shape)}; the network answers {list(exact.shape)}.")
        given = arrays[name].reshape(exact.shape)
        if given.dtype.kind in "iu" and steps[name] == 1.0 and (given != exact).any():
            raise VerificationError(f"{np.count_nonzero(given != exact)} of {given.size} integers of {name} differ from those in GOLDEN.")
        found[name] = _difference(given, exact, steps[name])
    return found


def _steps(part: Converted) -> dict[str, float]:
    """What one level of an output is."""
    outputs = part.written.interface["outputs"]
    return {name: 1.0 if is_raw(part.normal.values.get(name)) else float(np.max(np.abs(said["scale"]))) for name, said in outputs.items()}


def _difference(found: np.ndarray, exact: np.ndarray, step: float) -> dict[str, Any]:
    """Values, how many are half a level off or more, and the largest difference."""
    difference = np.abs(np.asarray(found, np.float64).reshape(exact.shape) - exact)
    differing = int(np.count_nonzero(~(difference < step / 2)))
    return {"values": int(exact.size), "levels_differing": differing, "largest": float(f"{difference.max():.3g}")}


def _say_difference(job: Job, what: str, found: Mapping[str, Any]) -> None:
    beside = f"{what} in {found['by']}" if "by" in found else what
    for name, figures in found.items():
        if name != "by":
            job.log(f"streamline: {name} beside {beside}: {figures['levels_differing']} of {figures['values']} values half a level off or more,"
                    f" largest difference {figures['largest']:g}")
