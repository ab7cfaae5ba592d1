"""Fold hardware layers: to a number of cycles that none may need more of, and as a folding of FINN's says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from microstage.errors import ParameterError
from microstage_streamline.finn.folding_names import layers_named
from microstage_streamline.finn.hardware import finn

__all__ = ["Folding", "extracted"]

_WIDEST = 4096  # bits of weights that a matrix unit reads at once for one output
_EXTRACTED = ("PE", "SIMD", "parallel_window", "ram_style", "resType", "mem_mode", "runtime_writeable_weights")
_OLD_VALUES = {"mem_mode": {"decoupled": "internal_decoupled", "const": "internal_embedded"}}
_CHANNELS = {"PE": ("MH", "NumChannels", "Channels", "Labels"), "SIMD": ("MW", "Kernel", "IFMChannels", "NumChannels")}
"What an attribute has to divide: the first of these that a layer has."
_FED_BY_WINDOWS = ("Pool_hls", "VVAU_hls", "VVAU_rtl")

_CLK_NS, _TARGET_CYCLES = 10.0, 8192
"As stage.toml has them, for a stage that is called alone."

Config = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Folding:
    """`target_cycles` that no layer should need more of, and what the user's file says of single layers, `said`: of one
    graph {layer: {attribute: value}}, or of several {part: the same}.
    """

    target_cycles: int
    said: Config = field(default_factory=dict)

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Folding:
        """Return the folding that a job's TARGET_CYCLES, TARGET_FPS and FOLDING ask for."""
        fps, clk_ns = parameters.get("target_fps", 0), parameters.get("clk_ns", _CLK_NS)
        cycles = int(1e9 / (clk_ns * fps)) if fps else parameters.get("target_cycles", _TARGET_CYCLES)
        if cycles < 1:
            raise ParameterError(
                f"TARGET_FPS={fps} is above {1e9 / clk_ns:g}, one frame in every CLK_NS={clk_ns:g} ns."
            )
        return cls(cycles, json.loads(parameters.get("folding") or "{}"))

    def of_parts(self, names: list[str]) -> dict[str, Folding]:
        """Return the folding of each of the graphs `names`; `ParameterError` where the file leaves open of which it
        is.
        """
        if self.said.keys() <= {*names}:
            return {name: Folding(self.target_cycles, self.said.get(name, {})) for name in names}
        if len(names) > 1:
            strange = next(key for key in self.said if key not in names)
            raise ParameterError(
                f"FOLDING says {strange} of a network that has {len(names)} graphs: expected"
                f' {{"{names[0]}": {{"MVAU_rtl_0": {{"PE": 1}}}}}}, with any of {", ".join(names)}.'
            )
        return {names[0]: self}

    def applied(self, layers: ModelWrapper) -> ModelWrapper:
        """Return specialised layers, folded; `ParameterError` for what the file says that does not fit them."""
        fold = finn("transformation.fpgadataflow.set_folding.SetFolding")
        layers = layers.transform(fold(self.target_cycles, mvau_wwidth_max=_WIDEST))
        named = layers_named(layers, self.said)
        for name, attributes in named.items():
            _set(layers, name, attributes)
        _fold_neighbours(layers, named)
        for node in layers.graph.node:
            if node.name in named:
                _assert_divides(node, named[node.name])
        return layers

    def left(self, layers: ModelWrapper) -> list[str]:
        """Return the layers that the file says nothing of; none where there is no file."""
        named = layers_named(layers, self.said)
        return [node.name for node in layers.graph.node if node.name not in named] if named else []


def extracted(layers: ModelWrapper) -> dict[str, dict[str, Any]]:
    """Return the folding of layers in FINN's form, as its builder takes it."""
    return {"Defaults": {}, **{node.name: _attributes(getCustomOp(node)) for node in layers.graph.node}}


def _attributes(layer: Any) -> dict[str, Any]:
    known = layer.get_nodeattr_types()
    return {name: layer.get_nodeattr(name) for name in _EXTRACTED if name in known}


def _set(layers: ModelWrapper, name: str, attributes: Mapping[str, Any]) -> None:
    layer = getCustomOp(layers.get_node_from_name(name))
    for attribute, value in attributes.items():
        value = _OLD_VALUES.get(attribute, {}).get(value, value) if isinstance(value, str) else value
        try:
            layer.set_nodeattr(attribute, value)
        except Exception as error:  # FINN raises what it likes for a name or a value that it does not know
            said = " ".join(str(error).split())
            raise ParameterError(
                f"FOLDING says {attribute}={value} of {name}, which FINN does not take: {said}"
            ) from None


def _fold_neighbours(layers: ModelWrapper, named: Config) -> None:
    """Fold what older versions had inside of a layer that is named, or beside it, like that layer.

    Thresholds behind a matrix unit were part of it; windows in front of a pool have its lanes.
    """
    for node in layers.graph.node:
        maker = layers.find_producer(node.input[0])
        if maker is None:
            continue
        if node.op_type.startswith("Thresholding") and node.name not in named and "PE" in named.get(maker.name, {}):
            getCustomOp(node).set_nodeattr("PE", named[maker.name]["PE"])
        if node.op_type in _FED_BY_WINDOWS and maker.op_type.startswith("ConvolutionInputGenerator"):
            if {node.name, maker.name} & named.keys():
                _same_lanes(node, maker, named)


def _same_lanes(node: Any, windows: Any, named: Config) -> None:
    own, before = getCustomOp(node), getCustomOp(windows)
    if node.name not in named:
        own.set_nodeattr("PE", before.get_nodeattr("SIMD"))
    elif windows.name not in named:
        before.set_nodeattr("SIMD", own.get_nodeattr("PE"))
    if own.get_nodeattr("PE") != before.get_nodeattr("SIMD"):
        raise ParameterError(
            f"FOLDING says PE={own.get_nodeattr('PE')} of {node.name} and SIMD={before.get_nodeattr('SIMD')} of"
            f" {windows.name}, whose windows it reads: both are the channels at once, so expected the same."
        )


def _assert_divides(node: Any, attributes: Mapping[str, Any]) -> None:
    layer = getCustomOp(node)
    known = layer.get_nodeattr_types()
    for name in _CHANNELS.keys() & attributes.keys():
        whole = next((layer.get_nodeattr(of) for of in _CHANNELS[name] if of in known), None)
        if whole is not None and math.prod(whole if isinstance(whole, list) else [whole]) % attributes[name]:
            raise ParameterError(
                f"FOLDING says {name}={attributes[name]} of {node.name}, which does not divide {whole}."
            )
