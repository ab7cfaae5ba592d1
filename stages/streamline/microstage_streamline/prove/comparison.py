"""Compare layers of the untouched file in an executor, on our integers of the layer before.

A difference must be within the rounding bound (docs/numerics.md), which is computed where a level differs, or anything
by more than float32 usually errs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from microstage.errors import VerificationError
from microstage.integer import QTensor, real
from microstage.integer.rounding_bounds import Bounded, NoBound, bound, unexplained
from microstage_streamline.graph.graph import is_quantised
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.prove.executors import CannotRun, OriginalModel
from microstage_streamline.prove.layers import ComparedLayer, shared
from microstage_streamline.prove.samples import Samples, rows

__all__ = ["LayerComparison"]

_FIRST = 8  # samples, at most
_NOTICED = 2.0**-16  # of a tensor's largest value: an error of more is looked at, however small a part of a level


class LayerComparison:
    """`normal` is the reference; `kinds` are the NumPy types of the file's tensors, as far as they are known."""

    def __init__(self, file: OriginalModel, normal: NormalGraph) -> None:
        self.normal, self.nodes, self.constants = normal, normal.graph.nodes, normal.graph.constants
        self.kinds = {name: file.kind(name) for name in file.inputs}
        self.makers = {name: place for place, node in enumerate(self.nodes) for name in node.outputs}

    def run(self, layers: Sequence[ComparedLayer], samples: Samples) -> None:
        """Compare, a few samples at a time; `VerificationError` names the first layer that differs."""
        layers = [layer for layer in layers if samples.entries.keys() >= set(layer.entries)]
        quotas, done = shared(layers, samples.count), 0
        size = self.normal.graph.at_once
        for part in samples.parts(min(_FIRST, size), size):
            open_ = [layer for layer in layers if done < quotas[layer.tensor] and not layer.reason]
            wanted = {name for layer in open_ for name in (layer.source, *layer.reads.values())}
            values = self.normal.graph.run(part.fed, wanted)
            for layer in open_:
                self._compare(layer, part, values)
            done += part.count
        for layer in layers:
            layer.offered += samples.count

    def _compare(self, layer: ComparedLayer, part: Samples, values: Mapping[str, Any]) -> None:
        """Compare one layer on a few samples, and return why it cannot be, if it cannot."""
        given = {name: part.entries[name] for name in layer.entries} | {n: values[s] for n, s in layer.reads.items()}
        try:
            found = layer.program.run({name: self._as_fed(name, value) for name, value in given.items()})[layer.tensor]
            self.kinds[layer.tensor] = found.dtype
            expected = values[layer.source]
            ours = part.answers.get(layer.tensor, real(expected))
            if found.shape != ours.shape:
                shapes = f"{list(ours.shape)}, and {layer.by} gives {list(found.shape)}"
                raise VerificationError(f"At {layer.name} {layer.tensor} has shape {shapes}.")
            different, noticed = _differing(expected, ours, found)
            chosen = np.flatnonzero(noticed.reshape(len(ours), -1).any(axis=1))
            if len(chosen):
                known = given | {name: part.fed[name] for name in layer.entries if self._is_given(name)}
                limits = self._limits(layer, {name: rows(value, chosen) for name, value in known.items()})
                _assert_explained(layer, chosen, ours, found, limits)
        except (CannotRun, NoBound) as error:  # what differs may be right; nobody can tell
            layer.reason = str(error)
            return
        layer.inputs += len(ours)
        layer.values += ours.size
        layer.ties += int(np.count_nonzero(different)) if layer.rounds else 0

    def _as_fed(self, name: str, value: Any) -> np.ndarray:
        """Return our value as the file's own type: real numbers, or the integers that stand for them."""
        kind = self._kind(name, value)
        return (real(value) if kind.kind == "f" else np.asarray(getattr(value, "ints", value))).astype(kind)

    def _kind(self, name: str, value: Any) -> np.dtype:
        """Return the type that an executor gave a tensor; of one that none computed, what the reference has it in."""
        known = getattr(value, "dtype", np.dtype(np.int64))
        return self.kinds.get(name, known if known.kind in "iu" and known != np.int64 else np.dtype(np.float32))

    def _limits(self, layer: ComparedLayer, given: Mapping[str, Any]) -> Bounded:
        """Return what float32 may make of the layer: of the cleaned graph's nodes, the same operators in one form."""
        kinds = [self.kinds[layer.tensor], *(self._kind(name, value) for name, value in given.items())]
        if np.float16 in kinds:
            raise NoBound("what float16 may make of it is not bounded here")
        known = {layer.reads.get(name, name): self._handed_over(name, value) for name, value in given.items()}
        places, open_ = set(), [layer.source]
        while open_:
            name = open_.pop()
            if name in self.constants:
                known[name] = _stored(self.constants[name])
            elif name not in known and self.makers[name] not in places:
                places.add(self.makers[name])
                open_ += filter(None, self.nodes[self.makers[name]].inputs)
        return bound([self.nodes[place].proto() for place in sorted(places)], known)[layer.source]

    def _handed_over(self, name: str, value: Any) -> Bounded:
        is_real = self._kind(name, value).kind == "f" and not self._is_given(name)
        return Bounded.in_float32(value) if is_real else Bounded.certain(value)

    def _is_given(self, name: str) -> bool:
        """Tell whether an input is real in the file, and integers here, because the user said so."""
        entry = self.normal.graph.inputs.get(name)
        return entry is not None and entry.scale is not None


def _stored(constant: Any) -> Bounded:
    """Return a constant: as the file has it, or computed by nodes that round a few times."""
    is_real = isinstance(constant, QTensor) or constant.dtype.kind == "f"
    return Bounded.in_float32(constant, 4) if is_real else Bounded.certain(constant)


def _differing(expected: Any, ours: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the executor's value is nearer to another level than ours, and where its error must be looked at."""
    gap, has_levels = np.abs(found - ours), is_quantised(expected)
    different = ~(gap < np.abs(getattr(expected, "scale", 1.0)) / 2) & has_levels
    return different, different | ~(gap <= _NOTICED * np.abs(ours).max(initial=0)) | (not has_levels)


def _assert_explained(
    layer: ComparedLayer, chosen: np.ndarray, ours: np.ndarray, found: np.ndarray, limits: Bounded
) -> None:
    wrong = unexplained(ours[chosen], found[chosen], limits)
    if not wrong.any():
        return
    first = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = (int(chosen[first[0]]), *first[1:])
    raise VerificationError(
        f"At {layer.name} {np.count_nonzero(wrong)} of {ours.size} values of {layer.tensor} differ,"
        f" beyond what rounding can do, from what {layer.by} computed from the integers before, first at"
        f" {[place[0] + layer.inputs, *place[1:]]}: expected {found[place]:.9g}, found {ours[place]:.9g}."
    )
