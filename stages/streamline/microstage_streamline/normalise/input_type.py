"""Read what the user says of real inputs that no quantiser follows: INPUT_TYPE, INPUT_SCALE, INPUT_ZERO."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from microstage.errors import ParameterError
from microstage_streamline.graph.graph import Graph, GraphInput, Node, is_quantised
from microstage_streamline.graph.straight import bends
from microstage_streamline.normalise.commute import fronts
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.read.known_operators import QUANTISING

__all__ = ["CLAMPS", "REMEDY", "InputType", "remedy_of", "unquantised"]

CLAMPS = ("Relu", "Clip", "Min", "Max")
"Operators that hold a value within ends: of integers, a narrower range."
REMEDY = "INPUT_TYPE=INT8 INPUT_SCALE=0.05 INPUT_ZERO=0 says as which integers the input is given"
_OF_FLOATS = "CALIBRATION=inputs.npz, example inputs by the names of the graph's, quantises a float network"
_SIGNS = {"BIPOLAR": (-1, 1), "TERNARY": (-1, 1), "BINARY": (0, 1)}
_MOST_BITS = 16


@dataclass(frozen=True)
class InputType:
    """Integers low..high that stand for real values: value = scale * (integer - zero_point)."""

    kind: str
    low: int
    high: int
    scale: float
    zero_point: int

    @classmethod
    def read(cls, parameters: Mapping[str, Any]) -> InputType | None:
        """Return what the user says, None if nothing.

        `ParameterError` for a type that is none, or numbers that do not go with it.
        """
        kind, scale = str(parameters.get("input_type", "")).upper(), float(parameters.get("input_scale", 1.0))
        zero_point = int(parameters.get("input_zero", 0))
        if not kind:
            if (scale, zero_point) != (1.0, 0):
                raise ParameterError(
                    "INPUT_SCALE and INPUT_ZERO go with INPUT_TYPE: INPUT_TYPE=INT8 INPUT_SCALE=0.05 INPUT_ZERO=0."
                )
            return None
        low, high = _ends(kind)
        if not (np.isfinite(scale) and scale > 0):
            raise ParameterError(f"INPUT_SCALE={scale:g} is no step of real values; expected a number above 0.")
        if not low <= zero_point <= high or kind == "BIPOLAR" and zero_point:
            expected = "0" if kind == "BIPOLAR" else f"{low} to {high}"
            raise ParameterError(
                f"INPUT_ZERO={zero_point} is no integer that stands for 0 in {kind}; expected {expected}."
            )
        return cls(kind, low, high, float(np.float32(scale)), zero_point)

    def applied(self, graph: Graph, names: list[str]) -> Graph:
        """Return `graph`, changed: the inputs `names` are integers, and a DequantizeLinear gives the real values that
        the file reads.
        """
        for name in names:
            real, entry = f"{name}.given", graph.inputs[name]
            for node in graph.nodes:
                node.inputs = [real if read == name else read for read in node.inputs]
            stored = {f"{real}.scale": np.float32(self.scale), f"{real}.zero": np.int64(self.zero_point)}
            graph.constants |= {constant: np.asarray(value) for constant, value in stored.items()}
            graph.nodes.insert(0, Node("DequantizeLinear", [name, *stored], [real], {}, "INPUT_TYPE"))
            graph.inputs[name] = self._entry(entry)
        return graph

    def _entry(self, entry: GraphInput) -> GraphInput:
        return replace(
            entry,
            datatype=(self.low, self.high),
            typed=True,
            scale=self.scale,
            zero_point=self.zero_point,
            signs=self.kind == "BIPOLAR",
        )


def _ends(kind: str) -> tuple[int, int]:
    if kind in _SIGNS:
        return _SIGNS[kind]
    found = re.fullmatch(r"(U?)INT(\d+)", kind)
    bits = int(found[2]) if found else 0
    if not found or not (1 if found[1] else 2) <= bits <= _MOST_BITS:
        raise ParameterError(
            f"INPUT_TYPE={kind} is not known; expected INT2 to INT16, UINT1 to UINT16, BIPOLAR, TERNARY or BINARY."
        )
    return (0, 2**bits - 1) if found[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def remedy_of(normal: NormalGraph) -> str:
    """Return what mends a network of which no input meets a quantiser: one for a float network, one for others."""
    nodes = any(node.op in QUANTISING for node in normal.graph.nodes)
    return REMEDY if nodes or any(map(is_quantised, normal.graph.constants.values())) else _OF_FLOATS


def unquantised(normal: NormalGraph) -> dict[str, Node]:
    """Return {real input: the first node in the way} of inputs whose values meet no quantiser before something that is
    no line of them.

    Precondition: `normal` is clean, and what can be is hoisted.
    """
    graph = normal.graph
    lacking: dict[str, Node] = {}
    for name, entry in graph.inputs.items():
        if entry.datatype is None:
            found = _in_the_way(normal, fronts(normal, {name}))
            if found is not None:
                lacking[name] = found
    return lacking


def _in_the_way(normal: NormalGraph, front: set[str]) -> Node | None:
    for node in normal.graph.nodes:
        read = front & set(node.inputs)
        if not read:
            continue
        quantises = (
            node.output in normal.values and is_quantised(normal.values[node.output]) and node.output not in front
        )
        follows = node.op in CLAMPS or not bends(node, normal.graph.constants)
        if not quantises and not (follows and set(node.outputs) <= front):
            return node
    return None
