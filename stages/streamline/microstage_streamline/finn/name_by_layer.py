"""Name what a layer computes after the layer, not after whatever exported it."""

from __future__ import annotations

from dataclasses import replace

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage_streamline.finn.stored import StoredLayout

__all__ = ["NameByLayer"]

_OUTPUTS = {".weight.integers": "accumulator", ".bias.integers": "biased"}


class NameByLayer(Transformation):
    """A product with `<layer>.weight.integers` makes `<layer>.accumulator` from `<layer>.columns`, a sum with
    `<layer>.bias.integers` makes `<layer>.biased`. The graph's own inputs and outputs keep their names, and nothing
    takes a name that is in use.
    """

    def __init__(self) -> None:
        super().__init__()
        self._new: dict[str, str] = {}

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in model.graph.node:
            for constant in node.input:
                for ending, what in _OUTPUTS.items():
                    if constant.endswith(ending) and model.get_initializer(constant) is not None:
                        layer = constant[: -len(ending)]
                        self._rename(model, node.output[0], f"{layer}.{what}")
                        maker = model.find_producer(node.input[0])
                        if maker is not None and maker.op_type == "Im2Col":
                            self._rename(model, maker.output[0], f"{layer}.columns")
        return model, False

    def followed(self, tensor: StoredLayout) -> StoredLayout:
        """Return a tensor under the name that it has now."""
        return replace(tensor, name=self._new.get(tensor.name, tensor.name))

    def _rename(self, model: ModelWrapper, old: str, new: str) -> None:
        border = {value.name for value in [*model.graph.input, *model.graph.output]}
        if old not in border and new not in model.get_all_tensor_names():
            model.rename_tensor(old, new)
            self._new[old] = new
