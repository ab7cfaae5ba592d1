"""Keep the layout of a graph that FINN can stream already: FINN's own files, and ours that are given again."""

from __future__ import annotations

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.integer.interpreter import attributes
from microstage_streamline.finn.stored import StoredLayout, natural

__all__ = ["KeepLayout", "is_streamed"]

_LAYOUTS = {2: b"NC", 3: b"NWC", 4: b"NHWC"}
_FIRST, _LAST, _MOVES = ("Conv", "MaxPool"), ("Im2Col", "MaxPoolNHWC"), ("Transpose", "Reshape")


def is_streamed(model: ModelWrapper) -> bool:
    """Tell whether windows and thresholds are channels last, and nothing is channels first."""
    nodes = model.graph.node
    last = (node.op_type in _LAST or attributes(node).get("data_layout") in ("NHWC", "NWC") for node in nodes)
    return not any(node.op_type in _FIRST for node in nodes) and any(last)


class KeepLayout(Transformation):
    """Nothing moves; thresholds of all channels alike are said to be channels last too.

    `stored`, `moves` and `kept` are as LowerConvs has them.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        graph = model.graph
        shapes = {
            v.name: tuple(model.get_tensor_shape(v.name)) for v in (*graph.input, *graph.value_info, *graph.output)
        }
        self.stored = {name: StoredLayout(name, shape, natural(len(shape))) for name, shape in shapes.items()}
        self.moves = {node.output[0] for node in graph.node if node.op_type in _MOVES}
        self.kept: dict[str, str] = {}
        for node in graph.node:
            if node.op_type == "MultiThreshold" and len(model.get_initializer(node.input[1])) == 1:
                (layout,) = [attribute for attribute in node.attribute if attribute.name == "data_layout"]
                layout.s = _LAYOUTS.get(len(shapes[node.input[0]]), layout.s)
            elif node.op_type == "Im2Col" and attributes(node).get("depthwise"):
                self._say_sparse(model, node)
        return model, False

    @staticmethod
    def _say_sparse(model: ModelWrapper, windows) -> None:
        """Annotate the matrix behind windows of single channels as one of zeros, but for these."""
        for product in model.find_consumers(windows.output[0]):
            if product.op_type == "MatMul" and model.get_initializer(product.input[1]) is not None:
                kernel = list(attributes(windows)["kernel_size"])
                model.set_tensor_sparsity(product.input[1], {"dw": {"kernel_shape": kernel}})
