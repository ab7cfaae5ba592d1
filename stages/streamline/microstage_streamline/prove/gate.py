"""Compare the untouched file with our integers after a conversion: layer by layer (the gate) and whole (figures)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from microstage.errors import VerificationError
from microstage.integer import real
from microstage.stage import Job
from microstage_streamline.convert import Converted
from microstage_streamline.prove.comparison import LayerComparison
from microstage_streamline.prove.executors import CannotRun, OriginalModel
from microstage_streamline.prove.layers import layers_of
from microstage_streamline.prove.samples import Samples, is_raw, of_reals, of_vectors

__all__ = ["compare_with_file", "compare_with_golden", "say_layers", "say_uncompared"]

_WHOLE = 64  # samples of the whole file
_NAMED = 5


def compare_with_file(
    job: Job,
    model: onnx.ModelProto,
    part: Converted,
    fed: Mapping[str, Any],
    recorded: Mapping[str, np.ndarray],
    arrays: Mapping[str, np.ndarray] | None,
) -> dict[str, Any]:
    """Return {"layers", "the file", "GOLDEN"}: what was compared of the file `model`, and how it came out.

    `fed` are the inputs of the reference, `recorded` what the integer graph made of them, `arrays` the user's own.
    `VerificationError` for the first layer of which an executor makes something else, and for what no executor can run,
    unless the parameter `uncompared` lets that pass.
    """
    samples, steps = of_vectors(part.normal, part.written, fed, recorded), _steps(part)
    file = OriginalModel(model)
    found = {"layers": _layers(job, file, part, samples), "the file": _whole(file, samples, steps)}
    _say_difference(job, "the file", found["the file"])
    return found | compare_with_golden(job, part, samples, arrays)


def compare_with_golden(
    job: Job, part: Converted, samples: Samples, arrays: Mapping[str, np.ndarray] | None
) -> dict[str, Any]:
    """Return {"GOLDEN"}: how the outputs compare with the user's own, if there are any."""
    if arrays is None:
        return {}
    found = _expected(arrays, samples.answers, _steps(part))
    _say_difference(job, "GOLDEN", found)
    return {"GOLDEN": found}


def _layers(job: Job, file: OriginalModel, part: Converted, samples: Samples) -> dict[str, Any]:
    layers, comparison = layers_of(file, part.normal, part.integer_graph), LayerComparison(file, part.normal)
    reals = of_reals(part.normal, part.written)
    if reals is not None:
        comparison.run([layer for layer in layers if any(file.kind(name).kind == "f" for name in layer.entries)], reals)
    comparison.run(layers, samples)
    compared = [layer for layer in layers if layer.inputs and not layer.reason]
    missing = {str(layer): layer.reason or "its inputs are not known" for layer in layers if layer not in compared}
    missing = missing if layers else {"the file": "none of its tensors is integers here"}
    say_uncompared(job, missing)
    for layer in compared:
        job.verified(f"file {layer.tensor}", layer.values, layer.values - layer.ties, layer.ties)
    cut = {str(layer): [layer.inputs, layer.offered] for layer in compared if layer.inputs < layer.offered}
    values, ties = sum(layer.values for layer in compared), sum(layer.ties for layer in compared)
    by = sorted({name for layer in compared for name in layer.program.by})
    found = {"by": by, "layers": len(compared), "values": values, "ties": ties, "cut_short": cut, "uncompared": missing}
    say_layers(job, found)
    return found


def say_uncompared(job: Job, uncompared: Mapping[str, str]) -> None:
    """Raise `VerificationError` for what was not compared, unless the user lets that pass."""
    for name, reason in uncompared.items():
        job.log(f"streamline: NOT COMPARED with the file at {name}: {reason}")
    if uncompared and not job.parameters.get("uncompared"):
        (name, reason), *more = uncompared.items()
        others = f" (and {len(more)} more layers)" if more else ""
        raise VerificationError(f"No executor could check {name}{others}: {reason}; UNCOMPARED=1 goes on without.")


def say_layers(job: Job, found: Mapping[str, Any]) -> None:
    by = " and ".join(found["by"]) or "nothing"
    figures = f"{found['values']} values, {found['ties']} explained ties"
    job.log(f"streamline: {found['layers']} layers of the file beside {by}: {figures}")
    said = [f"{inputs} of {offered} inputs at {name}" for name, (inputs, offered) in found["cut_short"].items()]
    if said:
        more = f", and so on at {len(said) - _NAMED} more layers" if len(said) > _NAMED else ""
        job.log(f"streamline: cut short, compared {', '.join(said[:_NAMED])}{more}")


def _whole(file: OriginalModel, samples: Samples, steps: Mapping[str, float]) -> dict[str, Any]:
    """Return {"by", output: difference} of the whole file, run on by itself; only "by" says why, where that
    cannot be.
    """
    outputs = [name for name in samples.answers if name in file.makers]
    program, some = file.program(outputs, set()), samples.of(range(min(samples.count, _WHOLE)))
    if not outputs:
        return {"by": "nothing: no tensor of the file is where integers end"}
    if not samples.entries.keys() >= set(program.sources):
        return {"by": "nothing: its real inputs are not what interface.json tells the integers of"}
    try:
        found = program.run({name: real(some.entries[name]).astype(file.kind(name)) for name in program.sources})
    except CannotRun as error:
        return {"by": f"nothing: {error}"}
    differences = {name: _difference(found[name], some.answers[name], steps[name]) for name in outputs}
    return {"by": " and ".join(sorted(program.by)), **differences}


def _expected(
    arrays: Mapping[str, np.ndarray], answers: Mapping[str, np.ndarray], steps: Mapping[str, float]
) -> dict[str, Any]:
    """Return {output: how the user's expected values compare}.

    Whole numbers that an output of whole numbers contradicts are a `VerificationError`.
    """
    found = {}
    for name in filter(arrays.__contains__, answers):
        exact, given = answers[name], arrays[name]
        if given.size != exact.size:
            shapes = f"{list(given.shape)}; the network answers {list(exact.shape)}"
            raise VerificationError(f"GOLDEN has {name} of shape {shapes}.")
        differing = np.count_nonzero(given.reshape(exact.shape) != exact)
        if given.dtype.kind in "iu" and steps[name] == 1.0 and differing:
            raise VerificationError(f"{differing} of {given.size} integers of {name} differ from those in GOLDEN.")
        found[name] = _difference(given, exact, steps[name])
    return found


def _steps(part: Converted) -> dict[str, float]:
    """Return what one level of an output is."""
    scales = {name: said["scale"] for name, said in part.written.interface["outputs"].items()}
    raw = {name for name in scales if is_raw(part.normal.values.get(name))}
    return {name: 1.0 if name in raw else float(np.max(np.abs(scale))) for name, scale in scales.items()}


def _difference(found: np.ndarray, exact: np.ndarray, step: float) -> dict[str, Any]:
    """Return (values, how many are half a level off or more, the largest difference)."""
    difference = np.abs(np.asarray(found, np.float64).reshape(exact.shape) - exact)
    differing = int(np.count_nonzero(~(difference < step / 2)))
    return {"values": int(exact.size), "levels_differing": differing, "largest": float(f"{difference.max():.3g}")}


def _say_difference(job: Job, what: str, found: Mapping[str, Any]) -> None:
    beside = f"{what} in {found['by']}" if "by" in found else what
    if found.keys() == {"by"}:
        job.log(f"streamline: the whole network beside {beside}")
    for name, figures in found.items():
        if name != "by":
            off = f"{figures['levels_differing']} of {figures['values']} values half a level off or more"
            job.log(f"streamline: {name} beside {beside}: {off}, largest difference {figures['largest']:g}")
