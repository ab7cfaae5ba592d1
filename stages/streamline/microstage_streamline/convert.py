"""Convert a graph that was read: normalise, move quantisers, make integers, write, lay out for FINN."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from microstage.errors import ModelError, ParameterError
from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage_streamline.finn.front import front_of
from microstage_streamline.finn.layout import LaidOut, as_it_is, input_ranges, lay_out, streams
from microstage_streamline.graph.graph import Graph
from microstage_streamline.integerise.drop_channels import DropConstantChannels
from microstage_streamline.integerise.integer_graph import IntegerGraph
from microstage_streamline.integerise.integerise import integerised
from microstage_streamline.normalise.commute import hoist
from microstage_streamline.normalise.input_type import InputType, remedy_of, unquantised
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.normaliser import normalised
from microstage_streamline.read.onnx_graph import read_graph
from microstage_streamline.write.model import IntegerModel, beyond_finn, origin_of, write

__all__ = ["Converted", "convert", "convert_file", "declared"]


@dataclass(frozen=True)
class Converted:
    """The cleaned graph, which is the integer reference; the integers made of it; how they are written; `model`, the
    same laid out for FINN, which is the artefact. `beyond`: why FINN-ONNX cannot hold it, so that `model` is as it was
    written, in int64; `front`: the same of what stands in front of that, if it is all but the end.
    """

    normal: NormalGraph
    integer_graph: IntegerGraph
    written: IntegerModel
    laid: LaidOut
    model: ModelWrapper
    beyond: str = ""
    front: Converted | None = None

    def file_name(self, name: str) -> str:
        """Return what the file of part `name` is called, without its ending."""
        return f"{name}_integer" if self.beyond else f"{name}_finn_streamlined"

    def all_integer(self) -> Converted:
        """Return this; `ModelError` names the first place that is not integer."""
        for found in self.integer_graph.unresolved:
            raise ModelError(f"{found} could not be made integer: {found.reason}.")
        return self

    def kept_channels(self, recorded: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return those recorded tensors that lost channels, with the channels that are left."""
        return {
            name: self.integer_graph.kept_channels(name, recorded[name])
            for name in self.integer_graph.kept
            if name in recorded
        }

    def streamed(self) -> Converted:
        """Return the same as a part of a longer stream.

        Moves at its inputs go, and those at outputs where no axis changes place: streams lie as its layers have them.
        """
        if self.beyond:
            return replace(self, front=None)
        return replace(self, model=streams(self.laid, input_ranges(self.written.interface), turned=False))

    def without_finn(self, reason: str) -> Converted:
        """Return the same, with FINN-ONNX left out for `reason`."""
        written = write(self.integer_graph, self.normal, self.written.model.graph.name, wide=True)
        laid = as_it_is(written.model)
        return replace(self, written=written, laid=laid, model=laid.model, beyond=reason)

    def with_front(self) -> Converted:
        """Return the same with its front, where FINN-ONNX can hold all but the end."""
        made = front_of(self.integer_graph, self.normal) if self.beyond else None
        return replace(self, front=_laid_out(made, self.normal, self.written.model.graph.name)) if made else self

    @cached_property
    def streams(self) -> ModelWrapper:
        """What FINN builds: the model from its first layer to its last."""
        return streams(self.laid, input_ranges(self.written.interface))

    def as_streamed(self, vectors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return `vectors` {input of the model: integers [n, ...]} as `streams` takes them: behind the moves at the
        border.
        """
        behind = {name: self._behind_moves(name) for name in vectors}
        found = Interpreter(self.model.model).run(vectors, [name for name in behind.values() if name not in vectors])
        return {name: vectors[end] if end in vectors else integers(found[end]) for name, end in behind.items()}

    def _behind_moves(self, name: str) -> str:
        """Return what an input is behind the moves that `streams` leaves out."""
        outputs = {value.name for value in self.model.graph.output}
        readers = self.model.find_consumers(name)
        while len(readers) == 1 and readers[0].output[0] in self.laid.moves - outputs:
            name = readers[0].output[0]
            readers = self.model.find_consumers(name)
        return name


def convert(graph: Graph, name: str, given: InputType | None = None) -> Converted:
    """Return the integers of `graph`, as far as they go; `ModelError` where nothing becomes integer.

    `given` is of inputs that no quantiser follows.
    """
    normal = _normal(declared(graph, given) if given else graph)
    made = DropConstantChannels(integerised(normal)).apply()
    if not made.nodes:
        first = made.unresolved[0] if made.unresolved else None
        why = f"{first}: {first.reason.rstrip('.')}" if first else "it has no layer"
        remedy = f"; {remedy_of(normal)}" if unquantised(normal) else ""
        raise ModelError(f"Nothing of the network can be computed in integers: {why}{remedy}.")
    reason = beyond_finn(made)
    return _laid_out(made, normal, name, reason).with_front()


def _laid_out(made: IntegerGraph, normal: NormalGraph, name: str, beyond: str = "") -> Converted:
    written = write(made, normal, name, wide=bool(beyond))
    laid = as_it_is(written.model) if beyond else lay_out(written.model, input_ranges(written.interface))
    return Converted(normal, made, written, laid, laid.model, beyond)


def _normal(graph: Graph) -> NormalGraph:
    """Return `graph` in one form, with functions of each value moved to the front where they can be."""
    normal = normalised(graph)
    hoist(normal)
    return normal


def declared(graph: Graph, given: InputType) -> Graph:
    """Return `graph`, changed: inputs that no quantiser follows are the integers `given`; `ParameterError` where there
    are none.
    """
    normal = _normal(deepcopy(graph))
    entries = integerised(normal).entries
    lacking = [
        *dict.fromkeys(
            [*unquantised(normal), *(origin_of(tensor, normal) for tensor, found in entries.items() if found.behind)]
        )
    ]
    if not lacking:
        said = (
            f"INPUT_TYPE={given.kind} is for an input that no quantiser follows, and each of"
            f" {', '.join(graph.inputs)} has one"
        )
        raise ParameterError(f"{said}, or is of integers: leave it out.")
    return given.applied(graph, lacking)


def convert_file(path: Path) -> Converted:
    """Return the network in `path`; `ModelError` also for a file that is no network."""
    return convert(read_graph(path), "network")
