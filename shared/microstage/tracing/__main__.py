"""Run the integer network of the folder `integers` on `given`, inputs.npz: trace.npz holds every tensor.

It is run in the environment of the stage that makes integers: `microstage.compile(...).trace(x)`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from microstage.errors import ParameterError
from microstage.integer.interpreter import Interpreter
from microstage.integer.real_input import RealInput
from microstage.integer.sequence import integers, run_sequence
from microstage.interface.fields import tensors_of
from microstage.interface.recurrence import Recurrence
from microstage.signals.settle import Settling
from microstage.stage import Job, stage_main
from microstage.tracing.places import by_place

__all__ = ["run", "traced"]


def run(job: Job) -> None:
    """Write `trace.npz`."""
    with np.load(job.inputs["given"] / "inputs.npz", allow_pickle=False) as file:
        given = {name: file[name] for name in file.files}
    np.savez(job.output / "trace.npz", **traced(job.inputs["integers"], given))


def traced(folder: Path, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return {place: integers [n, ...]} of the network in `folder` on the inputs [n, ...] that are `given`.

    Inputs are integers, or real numbers where the interface says what integers are made of them. Of a network that is
    stepped, inputs are [n, steps, ...], and so is everything that is found.
    """
    interface = json.loads((folder / "interface.json").read_text())
    parts = {
        name: by_place(
            onnx.load(str(folder / said["file"])), name.removesuffix("_finn_streamlined").removesuffix("_integer")
        )
        for name, said in interface["parts"].items()
    }
    interpreters = {name: Interpreter(model) for name, model in parts.items()}
    inputs, sequence = _integers(interface, given), Recurrence.read(interface)
    places = {name: [out for node in model.graph.node for out in node.output] for name, model in parts.items()}
    if sequence:
        return {**inputs, **run_sequence(sequence, interpreters, inputs, places, Settling.read(interface))}
    found = dict(inputs)
    for name, interpreter in interpreters.items():
        fed = {wanted: found[wanted].reshape(-1, *shape[1:]) for wanted, shape in interpreter.shapes.items()}
        found |= {place: integers(value) for place, value in interpreter.run(fed, places[name]).items()}
    return found


def _integers(interface: Mapping[str, Any], given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the inputs as the graphs take them."""
    described = tensors_of(interface, "inputs")
    made = {
        name: RealInput(said).quantised(given[said.get("of", name)])
        for name, said in described.items()
        if said.get("of", name) in given and given[said.get("of", name)].dtype.kind == "f"
    }
    left = {name: values for name, values in given.items() if values.dtype.kind != "f"}
    reals = [name for name in given if name not in left and name not in {s.get("of", n) for n, s in described.items()}]
    if reals:
        raise ParameterError(f"{reals[0]} enters through a gain: give trace the integers of {', '.join(described)}.")
    return {**left, **made}


if __name__ == "__main__":
    raise SystemExit(stage_main("trace", run))
