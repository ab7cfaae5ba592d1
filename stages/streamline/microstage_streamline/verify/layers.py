"""The gate: each layer's own nodes of the untouched file, in an independent executor, on our integers of the layer before.

A layer is what stands in the file between tensors that are integers here: by name, in file and cleaned graph alike, and downstream of
where integers enter. Real tensors at which integers end (the file's outputs, what an unresolved node reads) are compared as well. What
differs must be within the computed rounding bound (docs/numerics.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.errors import ModelError, VerificationError
from microstage.integer import QTensor, real
from microstage.integer.rounding_bounds import Bounded, bound, fan_in, unexplained
from microstage_streamline.graph.normalise import Normaliser, is_quantised
from microstage_streamline.graph.read import QUANTISERS
from microstage_streamline.integerise.made import Made
from microstage_streamline.verify.executors import CannotRun, Program, Untouched
from microstage_streamline.verify.samples import Samples, rows

__all__ = ["Layer", "Layers"]

_AT_ONCE = 16
_LEAST = 8  # inputs of every layer, the extremes among them
_WORK = 1e10  # multiply-accumulates of all layers; a value that is moved or quantised costs as much as so many of them:
_PER_VALUE = 30
_NOTICED = 2.0**-16  # of a tensor's largest value: what differs by more is looked at, however small a part of a level it is
_PRODUCTS = ("Conv", "MatMul", "Gemm")
_ROUNDING = ("QuantizeLinear", *QUANTISERS)


@dataclass
class Layer:
    """`program` computes `tensor` of the file, which is `source` in the cleaned graph; `name` is what a person calls it.

    `inputs` were compared, of so many as `offered`: `values` of the tensor, of which `ties` differ by a level and are explained. What
    does not end in rounding has none: float32 may be coarser than the levels of an accumulator.
    """

    name: str
    tensor: str
    source: str
    program: Program
    cost: float
    offered: int = 0
    inputs: int = 0
    values: int = 0
    ties: int = 0
    reason: str = ""

    @property
    def rounds(self) -> bool:
        return any(node.op_type in _ROUNDING for node in self.program.nodes)


class Layers:
    """The layers of `file` that became integers; `compare` finds out what an executor makes of them."""

    def __init__(self, file: Untouched, normal: Normaliser, made: Made) -> None:
        self.file, self.normal = file, normal
        self.kinds = {name: file.kind(name) for name in file.inputs}
        self.makers = {name: place for place, node in enumerate(normal.graph.nodes) for name in node.outputs}
        self.ours, ends = self._ours(made)
        quantised = {name for name, source in self.ours.items() if is_quantised(normal.values[source])}
        self.layers = [self._layer(name, quantised) for name in file.makers if name in quantised or name in ends]

    def _ours(self, made: Made) -> tuple[dict[str, str], set[str]]:
        """{tensor of the file: of the cleaned graph} for what follows from the integers that enter, and those at which that ends."""
        constants = self.normal.graph.constants.keys()
        known, failed = {*constants, *made.inputs}, {found.tensor for found in made.unresolved}
        for node in self.normal.graph.nodes:
            if known.issuperset(filter(None, node.inputs)) and node.output in self.normal.values and not failed & set(node.outputs):
                known.update(node.outputs)
        renamed = {name: self.normal.renamed.get(name, name) for name in self.file.computed - self.file.inputs.keys()}
        ours = {name: source for name, source in renamed.items() if source in known and source in self.makers}
        left = {name for node in self.normal.graph.nodes if not known & set(node.outputs) for name in node.inputs}
        return ours, {name for name, source in ours.items() if source in left or name in self.file.outputs}

    def _layer(self, tensor: str, stops: set[str]) -> Layer:
        program = self.file.program([tensor], stops)
        products = [place for place in program.places if self.file.nodes[place].op_type in _PRODUCTS]
        return Layer(self.file.where([*products, program.places[-1]][0]), tensor, self.ours[tensor], program, self._cost(program))

    def _cost(self, program: Program) -> float:
        """Of one sample, in multiply-accumulates."""
        total = 1.0
        for node in program.nodes:
            shapes = [self._shape(name) for name in node.input[:2]]
            products = fan_in(node, shapes) if node.op_type in _PRODUCTS and all(shapes) else _PER_VALUE
            total += products * float(np.prod(self._shape(node.output[0])))
        return total

    def _shape(self, name: str) -> tuple[int, ...]:
        """Of a tensor of the file, as far as the reference knows it."""
        value = self.normal.values.get(self.normal.renamed.get(name, name))
        return () if value is None else value.shape

    def compare(self, samples: Samples, which: Sequence[Layer]) -> None:
        """Some layers on `samples`, a few at a time; `VerificationError` names the first that computes something else."""
        which = [layer for layer in which if all(name in samples.entries for name in layer.program.sources if name in self.file.inputs)]
        quotas, done = _shared(which, samples.count), 0
        for part in samples.parts(_LEAST, _AT_ONCE):
            open_ = [layer for layer, quota in zip(which, quotas) if done < quota and not layer.reason]
            read = [self.ours[name] for layer in open_ for name in layer.program.sources if name in self.ours]
            values = self.normal.graph.run(part.fed, {*read, *(layer.source for layer in open_)})
            for layer in open_:
                self._compared(layer, part, values)
            done += part.count
        for layer in which:
            layer.offered += samples.count

    @property
    def entries(self) -> list[Layer]:
        """Those that begin at real inputs of the network."""
        return [layer for layer in self.layers if any(self.kinds[n].kind == "f" for n in layer.program.sources if n in self.file.inputs)]

    def _compared(self, layer: Layer, part: Samples, values: Mapping[str, Any]) -> None:
        expected, published = values[layer.source], part.answers.get(layer.tensor)
        given = {name: part.entries.get(name, values.get(self.ours.get(name))) for name in layer.program.sources}
        try:
            found = layer.program.run({name: self._as_fed(name, value) for name, value in given.items()})[layer.tensor]
        except CannotRun as error:
            layer.reason = str(error)
            return
        self.kinds[layer.tensor] = found.dtype
        ours = real(expected) if published is None else published
        if found.shape != ours.shape:
            raise VerificationError(f"At {layer.name} {layer.tensor} has shape {list(ours.shape)}, and {_by(layer)} gives {list(found.shape)}.")
        different = _differing(expected, ours, found)
        noticed = different | ~(np.abs(found - ours) <= _NOTICED * np.abs(ours).max(initial=0)) | (not is_quantised(expected))
        chosen = np.flatnonzero(noticed.reshape(len(ours), -1).any(axis=1))
        if len(chosen):
            try:
                limits = self._bounded(layer, {name: rows(value, chosen) for name, value in given.items()})
            except ModelError as error:  # what differs may be right; nobody can tell
                layer.reason = str(error)
                return
            _assert_explained(layer, chosen, ours, found, limits)
        layer.inputs += len(ours)
        layer.values += ours.size
        layer.ties += int(np.count_nonzero(different)) if layer.rounds else 0

    def _as_fed(self, name: str, value: Any) -> np.ndarray:
        """Our value as the file's own type: real numbers, or the integers that stand for them."""
        kind = self._kind(name, value)
        return (real(value) if kind.kind == "f" else np.asarray(getattr(value, "ints", value))).astype(kind)

    def _kind(self, name: str, value: Any) -> np.dtype:
        """The type that an executor gave a tensor; of one that none computed, what the reference has it in."""
        known = getattr(value, "dtype", np.dtype(np.int64))
        return self.kinds.get(name, known if known.kind in "iu" and known != np.int64 else np.dtype(np.float32))

    def _bounded(self, layer: Layer, given: Mapping[str, Any]) -> Bounded:
        """What float32 may make of the layer: of the cleaned graph's nodes, which are the same operators in one form."""
        known = {}
        for name, value in given.items():
            as_float = self._kind(name, value).kind == "f"
            known[self.ours.get(name, name)] = Bounded.in_float32(value) if as_float else Bounded.certain(value)
        places, open_, constants = set(), [layer.source], self.normal.graph.constants
        while open_:
            name = open_.pop()
            if name in constants:
                known[name] = _stored(constants[name])
            elif name and name not in known:
                if name not in self.makers:
                    raise ModelError(f"{layer.tensor} is computed from {name}, which the layer in the file does not read.")
                if self.makers[name] not in places:
                    places.add(self.makers[name])
                    open_ += self.normal.graph.nodes[self.makers[name]].inputs
        return bound([self.normal.graph.nodes[place].proto() for place in sorted(places)], known)[layer.source]


def _shared(layers: Sequence[Layer], count: int) -> list[int]:
    """Inputs of each layer: all `count` of those that are cheap; what is left of the work is shared by those that are not."""
    left, quotas = _WORK, {}
    for place, layer in enumerate(sorted(layers, key=lambda layer: layer.cost)):
        quotas[layer.tensor] = min(count, max(_LEAST, int(left / (len(layers) - place) / layer.cost)))
        left = max(0.0, left - quotas[layer.tensor] * layer.cost)
    return [quotas[layer.tensor] for layer in layers]


def _stored(constant: Any) -> Bounded:
    """A constant: as the file has it, or computed by nodes that round a few times."""
    return Bounded.in_float32(constant, 4) if isinstance(constant, QTensor) or constant.dtype.kind == "f" else Bounded.certain(constant)


def _differing(expected: Any, ours: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Where the executor's value is nearer to another level than ours; of a real tensor, nowhere."""
    if not is_quantised(expected):
        return np.zeros(ours.shape, bool)
    return ~(np.abs(found - ours) < np.abs(getattr(expected, "scale", 1.0)) / 2)


def _assert_explained(layer: Layer, chosen: np.ndarray, ours: np.ndarray, found: np.ndarray, limits: Bounded) -> None:
    wrong = unexplained(ours[chosen], found[chosen], limits)
    if not wrong.any():
        return
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = (int(chosen[first[0]]), *first[1:])
    raise VerificationError(
        f"At {layer.name} {np.count_nonzero(wrong)} of {ours.size} values of {layer.tensor} differ, beyond what rounding can do, from what"
        f" {_by(layer)} computed from the integers before, first at {[place[0] + layer.inputs, *place[1:]]}:"
        f" expected {found[place]:.9g}, found {ours[place]:.9g}."
    )


def _by(layer: Layer) -> str:
    return " and ".join(sorted(layer.program.by))
