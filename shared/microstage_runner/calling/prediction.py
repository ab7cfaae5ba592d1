"""`Artefact.predict`: what the compiled C answers, one call for each sample or for each step of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from microstage.errors import ParameterError
from microstage.interface.c_names import Names
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.calling.arrays import Expected, as_array, given_arrays
from microstage_runner.calling.compiled_c import CompiledC, compiled
from microstage_runner.calling.prototypes import CArgument

__all__ = ["expected_inputs", "predict"]

Answers = dict[str, np.ndarray]
_STRUCTURES = ("state", "stream")


def predict(artefact: Artefact, x: Any) -> np.ndarray | Answers:
    """Return the answers to `x`, as `Artefact.predict` says."""
    network = compiled(artefact)
    function = _function(network, _is_real(x))
    ends = Ends(artefact.path, network, function)
    given = given_arrays(x, ends.inputs)
    call = {"push": _pushed, "infer_step": _stepped}.get(function, _called)
    rows = [
        call(network, function, {ends.c_name(n): a[row] for n, a in given.arrays.items()}) for row in range(given.count)
    ]
    answers = ends.answers(rows)
    found = {name: given.as_given(values) for name, values in answers.items()}
    return next(iter(found.values())) if len(found) == 1 else found


def expected_inputs(artefact: Artefact, x: Any) -> list[Expected]:
    """Return the inputs of the network, of real numbers where `x` holds such."""
    network = compiled(artefact)
    return Ends(artefact.path, network, _function(network, _is_real(x))).inputs


class Ends:
    """The inputs and outputs of one function, by their names in the graph."""

    def __init__(self, folder: Path, network: CompiledC, function: str) -> None:
        interface = json.loads((folder / "interface.json").read_text())
        whole = "infer_float" if function == "push" else function  # a stream has the ends of what it is a stream of
        self._arguments = [one for one in network.functions[whole] if one.name not in _STRUCTURES]
        self._named, self.stepped = _named(interface, network.network), function in ("push", "infer_step")
        self._window = self._arguments[0].count // interface["sequence"]["length"] if function == "push" else 1

    @property
    def inputs(self) -> list[Expected]:
        return [self._expected(one) for one in self._arguments if one.given]

    def c_name(self, name: str) -> str:
        return next((one.name for one in self._arguments if self._name(one) == name), name)

    def answers(self, rows: list[Answers]) -> Answers:
        """Return [n, ...] by output, of the flat values of every row."""
        outputs = [one for one in self._arguments if not one.given]
        return {self._name(one): self._shaped(one, [row[one.name] for row in rows]) for one in outputs}

    def _name(self, one: CArgument) -> str:
        return self._named.get(one.name, (one.name, {}))[0]

    def _expected(self, one: CArgument) -> Expected:
        facts, shape = self._named.get(one.name, ("", {}))[1], self._shape(one)
        ends = facts.get("range") if one.type != "float" else None
        if self._window > 1 or not self.stepped:
            return Expected(self._name(one), (None,) if self._window > 1 else shape, ends, self._window)
        return Expected(self._name(one), (None, *shape), ends)

    def _shape(self, one: CArgument) -> tuple[int, ...]:
        """Return the shape of a sample, or of one step."""
        declared = tuple(self._named.get(one.name, ("", {}))[1].get("shape", (1, one.count)))
        sample = declared[1:] if declared[0] == 1 and len(declared) > 1 else declared
        if not one.count:
            return ()
        steps, rest = divmod(one.count, prod(sample))
        return (one.count,) if rest or not steps else sample if steps == 1 else (steps, *sample)

    def _shaped(self, one: CArgument, rows: list[np.ndarray]) -> np.ndarray:
        shape = (-1, *self._shape(one)) if self.stepped else self._shape(one)
        if not rows:
            return np.zeros((0, *(0 if size == -1 else size for size in shape)), one.dtype)
        return np.stack([row.reshape(shape) for row in rows])


def _named(interface: Mapping[str, Any], network: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return {name in C: (name in the graph, what the interface says)}; a real input is named by what it is of."""
    said = {n: facts for part in interface["parts"].values() for n, facts in part.get("outputs", {}).items()}
    said |= {n: facts for part in interface["parts"].values() for n, facts in part.get("inputs", {}).items()}
    steps = (interface.get("sequence") or {}).get("steps", {})
    of_others = {facts["of"]: facts for facts in said.values() if "of" in facts}
    of_others |= {source: said[step] for step, source in steps.items() if step in said and source not in said}
    return {Names(network).fresh(name): (name, facts) for name, facts in {**of_others, **said}.items()}


def _is_real(x: Any) -> bool:
    values = x if isinstance(x, Mapping) else {"x": x}
    return any(as_array(str(name), value).dtype.kind == "f" for name, value in values.items())


def _function(network: CompiledC, real: bool) -> str:
    """Return the function that answers; raise `ParameterError` where there is none of that kind."""
    stepped = "infer_step" in network.functions
    wanted = (("push", "infer_float") if stepped else ("infer_float",)) if real else ("infer_step", "infer")
    found = next((name for name in wanted if name in network.functions), None)
    if found:
        return found
    if "infer" not in network.functions:
        raise ParameterError(
            f"The parts of {network.network} make no whole: its C has a function for each of them alone."
        )
    raise ParameterError(
        f"No scale makes integers of real numbers for {network.network}: give the integers of its inputs."
    )


def _called(network: CompiledC, function: str, sample: Mapping[str, np.ndarray]) -> Answers:
    """Return what one call answers."""
    typed = {one.name: one for one in network.functions[function]}
    return network.call(function, {n: np.ascontiguousarray(v, typed[n].dtype) for n, v in sample.items()}) or {}


def _stepped(network: CompiledC, function: str, sample: Mapping[str, np.ndarray]) -> Answers:
    """Return what the steps of a record answer, from zeros on."""
    typed = {one.name: one for one in network.functions[function]}
    state = np.zeros(network.size_of("state") // 8 + 1, np.uint64)
    lengths = {len(values) for values in sample.values()}
    if len(lengths) > 1:
        raise ParameterError("The inputs of a record hold different numbers of steps.")

    def step(at: int) -> dict[str, Any]:
        rows = {name: values[at] for name, values in sample.items()}
        return {n: np.ascontiguousarray(v, typed[n].dtype) if typed[n].count else int(v) for n, v in rows.items()}

    return _joined(network.call(function, {**step(at), "state": state}) for at in range(*lengths))


def _pushed(network: CompiledC, function: str, sample: Mapping[str, np.ndarray]) -> Answers:
    """Return what a waveform is answered, window by window."""
    stream, one, answer = network.functions[function]
    held = np.zeros(network.size_of("stream") // 8 + 1, np.uint64)
    values = np.concatenate([*sample.values()]).astype(np.float32).tolist()
    found = _joined(network.call(function, {one.name: value, stream.name: held}) for value in values)
    output = next(other.name for other in network.functions["infer_float"] if not other.given)
    return {output: found[answer.name]}


def _joined(found: Iterator[Answers | None]) -> Answers:
    steps = [one for one in found if one]
    return {name: np.concatenate([step[name] for step in steps]) for name in steps[0]}
