"""Remove layers that compute nothing: what reads their output reads their input.

drop_identities   a stage that gives every value that can reach it as it is
drop_unread       a layer whose output nobody reads
"""

from __future__ import annotations

import numpy as np

from microstage.requantise import Search
from microstage_cbackend.program.ir import KernelCall, Part, Tensor

__all__ = ["drop_identities", "drop_unread", "replace"]

_MOST_VALUES = 2**16


def replace(part: Part, y: Tensor, x: Tensor) -> None:
    """Let every layer that reads the memory of the root `y` read that of `x` instead, element by element."""
    places = x.places.ravel()
    for layer in part.readers(y):
        layer.inputs = [x.root.view(t.name, places[t.places]) if t.root is y else t for t in layer.inputs]


def drop_identities(part: Part) -> None:
    """Remove stages that give every value that can reach them as it is."""
    for layer in list(part.layers):
        y = layer.output.root
        if (
            layer.kernel == "ms_stage"
            and y not in part.outputs
            and layer.inputs[0].data is None
            and _is_identity(layer)
        ):
            part.layers.remove(layer)
            replace(part, y, layer.inputs[0])


def _is_identity(layer: KernelCall) -> bool:
    """Tell whether the stage of `layer` is x -> x on all that reaches it."""
    low, high = (int(end) for end in (layer.reach[0].min(), layer.reach[1].max()))
    if not isinstance(layer.stage, Search) or len(layer.stage.thresholds) > 1 or high - low >= _MOST_VALUES:
        return False
    values = np.arange(low, high + 1)
    return np.array_equal(layer.stage.apply(values, np.zeros_like(values)), values)


def drop_unread(part: Part) -> None:
    """Remove layers whose output no layer reads and which is no output, the last ones first."""
    for layer in reversed(list(part.layers)):
        if layer.output.root not in part.outputs and not part.readers(layer.output):
            part.layers.remove(layer)
