"""Find the layers that a folding of FINN's names, also as older versions of FINN called them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from microstage.errors import ParameterError

__all__ = ["layers_named"]

_OLD = {
    "StreamingFCLayer": "MVAU",
    "MatrixVectorActivation": "MVAU",
    "Vector_Vector_Activate": "VVAU",
    "VectorVectorActivation": "VVAU",
    "ConvolutionInputGenerator1D": "ConvolutionInputGenerator",
    "StreamingMaxPool": "Pool",
    "AddStreams": "ElementwiseAdd",
}
"What FINN calls a layer now, by what it called it once; `_Batch`, `_hls` and `_rtl` say how it is built."
_LATER = ("StreamingFIFO", "StreamingDataWidthConverter", "IODMA", "TLastMarker")  # put in behind folding, by FINN
_WINDOWS = "ConvolutionInputGenerator"


def layers_named(layers: ModelWrapper, said: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return {layer: its attributes} of what a file says, {name: attributes}; `ParameterError` for unknown names.

    `Name_3` is the layer of that name, or else the fourth of its kind. Layers that FINN puts in later are passed over.
    """
    kinds = _by_kind(layers)
    given = {key: value for key, value in said.items() if key != "Defaults" and _kind(key) not in _LATER}
    _assert_form(said, given)
    if _no_windows_of_pools(given, kinds):
        kinds[_WINDOWS] = [node for node in kinds[_WINDOWS] if not _feeds_a_pool(layers, node)]
    else:
        exact = {node.name for nodes in kinds.values() for node in nodes}
        if given.keys() <= exact:
            return dict(given)
    return _resolved(given, {kind: [node.name for node in nodes] for kind, nodes in kinds.items()})


def _resolved(given: Mapping[str, Mapping[str, Any]], kinds: Mapping[str, list[str]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    unknown = []
    for key, attributes in given.items():
        names, index = kinds.get(_kind(key), []), key.rpartition("_")[2]
        if not index.isdigit() or int(index) >= len(names):
            unknown.append(key)
        elif names[int(index)] in found:
            raise ParameterError(
                f"FOLDING says {key} and another name of layer {names[int(index)]}: number layers of a kind together."
            )
        else:
            found[names[int(index)]] = attributes
    if unknown:
        known = ", ".join(f"{kind}_0 to {kind}_{len(names) - 1}" for kind, names in kinds.items())
        raise ParameterError(f"FOLDING says {', '.join(unknown)}, of which the network has none; it has {known}.")
    return found


def _assert_form(said: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    if said.get("Defaults"):
        raise ParameterError("FOLDING has Defaults, which hold for a kind of layer: say it of each layer instead.")
    for key, attributes in given.items():
        if not isinstance(attributes, dict):
            raise ParameterError(f'FOLDING says {attributes!r} of {key}: expected attributes, as {{"PE": 1}}.')
        for name, value in attributes.items():
            if name in ("PE", "SIMD") and not (type(value) is int and value > 0):
                raise ParameterError(f"FOLDING says {name}={value} of {key}: expected a whole number above 0.")


def _by_kind(layers: ModelWrapper) -> dict[str, list[NodeProto]]:
    found = defaultdict(list)
    for node in layers.graph.node:
        found[_kind(node.name)].append(node)
    return dict(found)


def _kind(name: str) -> str:
    """Return what FINN calls the kind of layer `name_3` now, however it is built."""
    plain = name.rpartition("_")[0]
    for ending in ("_hls", "_rtl", "_Batch"):
        plain = plain.removesuffix(ending)
    return _OLD.get(plain, plain)


def _no_windows_of_pools(given: Mapping[str, Any], kinds: Mapping[str, list[NodeProto]]) -> bool:
    """Tell whether the file is of a FINN that had no windows in front of pools: it names fewer of them than there
    are, and no pool.
    """
    windows = [key for key in given if _kind(key) == _WINDOWS]
    return len(windows) < len(kinds.get(_WINDOWS, [])) and not any(_kind(key) == "Pool" for key in given)


def _feeds_a_pool(layers: ModelWrapper, node: NodeProto) -> bool:
    return any(reader.op_type.startswith("Pool") for reader in layers.find_consumers(node.output[0]))
