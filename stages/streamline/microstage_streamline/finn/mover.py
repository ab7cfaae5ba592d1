"""Write the graph that LowerConvs makes: nodes, how each tensor lies, and moves where one has to lie otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from onnx import NodeProto, TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from microstage.errors import ModelError
from microstage_streamline.finn.stored import FlattenedImage, StoredLayout, channels_last, natural

__all__ = ["Mover"]

_WINDOWS, _EACH_VALUE = ("Conv", "MaxPool"), ("MultiThreshold", "Add", "Mul", "Identity", "Concat")


class Mover:
    """Append nodes and moves; `stored` says how each tensor of the graph before lies, `moves` names moved tensors."""

    def __init__(self, model: ModelWrapper) -> None:
        self.model = model
        self.nodes: list[NodeProto] = []
        self.shapes = {
            v.name: tuple(model.get_tensor_shape(v.name))
            for v in (*model.graph.value_info, *model.graph.input, *model.graph.output)
        }
        self.kinds = {v.name: v.type.tensor_type.elem_type for v in (*model.graph.value_info, *model.graph.output)}
        self.constants: dict[str, np.ndarray] = {i.name: model.get_initializer(i.name) for i in model.graph.initializer}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(NodeProto.FromString(node.SerializeToString()))
        self.stored = {v.name: self._natural(v.name) for v in model.graph.input}
        self.outputs = [v.name for v in model.graph.output]
        self.moves: set[str] = set()
        self._moved: dict[tuple[str, tuple], StoredLayout] = {}

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape in the graph before."""
        return self.shapes[name]

    def rank(self, name: str) -> int:
        return len(self.shapes[name])

    def constant(self, name: str) -> np.ndarray:
        """Return the value of a constant that an operator must have."""
        if name not in self.constants:
            raise ModelError(f"{name} is computed, and FINN-ONNX has it as a constant")
        return self.constants[name]

    def meets_windows(self, name: str) -> bool:
        """Tell whether a convolution or a pool reads `name`, directly or behind operators that work on each value
        alone.
        """
        for node in self.readers.get(name, ()):
            if node.op_type in _WINDOWS or node.op_type in _EACH_VALUE and self.meets_windows(node.output[0]):
                return True
        return False

    def _natural(self, name: str) -> StoredLayout:
        return StoredLayout(name, self.shapes[name], natural(self.rank(name)))

    def store(self, name: str, value: np.ndarray, other: str) -> str:
        """Store a constant in place of `name`: under that name if nobody else reads it, else as `other`."""
        found = name if len(self.readers.get(name, ())) == 1 else other
        self.model.set_initializer(found, np.ascontiguousarray(value))
        if found == name:
            self.constants[name] = value
        return found

    def append(self, node: NodeProto) -> None:
        """Append a node that makes no tensor of the graph before."""
        self.nodes.append(node)

    def emit(
        self, node: NodeProto, inputs: Sequence[str], axes: Sequence[tuple] = (), like: StoredLayout | None = None
    ) -> None:
        """Append `node`, reading `inputs`; its outputs lie by `axes`, or all of them `like` a tensor."""
        outputs = []
        for place, name in enumerate(node.output):
            if name not in self.shapes:  # nobody reads it
                outputs.append(name)
                continue
            lies = (like.axes, like.flattened) if like is not None else (axes[place], None)
            found = StoredLayout(name, self.shapes[name], *lies)
            outputs.append(name if found.is_natural or name not in self.outputs else f"{name}.streamed")
            self.stored[name] = replace(found, name=outputs[-1])
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.extend(outputs)
        self.nodes.append(node)

    def rename(self, name: str, x: StoredLayout, axes: tuple) -> None:
        """Let `name` be `x` under other names of its axes."""
        self.stored[name] = StoredLayout(x.name, self.shapes[name], axes)

    def reshaped(self, name: str, x: StoredLayout, form: StoredLayout) -> None:
        """Let `name` be `x` in the shape of `form`."""
        if x.sizes == form.sizes:
            self.stored[name] = replace(form, name=x.name)
            return
        made = name if name not in self.outputs or form.is_natural else f"{name}.streamed"
        self._reshape(x.name, made, form.sizes)
        self.stored[name] = replace(form, name=made)

    def last(self, name: str) -> StoredLayout:
        """Return a tensor channels last."""
        return self.lying(name, channels_last(self.rank(name)))

    def plain(self, name: str) -> StoredLayout:
        """Return a tensor as it lies, but for a flattened image, which is put in its natural order."""
        return self.stored[name] if self.stored[name].flattened is None else self.lying(name, natural(self.rank(name)))

    def lying(self, name: str, axes: tuple) -> StoredLayout:
        """Return a tensor as it lies by `axes`: moved, once for all that read it so."""
        x = self.stored[name]
        if x.axes == axes and x.flattened is None:
            return x
        if (name, axes) not in self._moved:
            kind = {natural(self.rank(name)): "natural", channels_last(self.rank(name)): "last"}.get(
                axes, f"moved{len(self._moved)}"
            )
            self._moved[name, axes] = self._move(x, StoredLayout(f"{name}.{kind}", x.shape, axes))
        return self._moved[name, axes]

    def _move(self, x: StoredLayout, wanted: StoredLayout) -> StoredLayout:
        """Reshape where the values lie in that order already, else drop axes of size 1, transpose, add such axes."""
        if x.flattened is not None:
            return self._unflatten(x, x.flattened, wanted)
        if np.array_equal(x.memory(), wanted.memory()):
            if x.sizes == wanted.sizes:
                return StoredLayout(x.name, x.shape, wanted.axes)
            self._reshape(x.name, wanted.name, wanted.sizes, True)
            return wanted
        source, own = x.name, [axis for axis in x.axes if axis is not None]
        aim = [axis for axis in wanted.axes if axis is not None]
        if len(own) < len(x.axes):
            source = self._reshape(source, f"{wanted.name}.narrow", [x.shape[axis] for axis in own], True)
        whole = len(aim) == len(wanted.axes)
        turned = wanted.name if whole else f"{wanted.name}.turned"
        self.append(helper.make_node("Transpose", [source], [turned], perm=[own.index(axis) for axis in aim]))
        self.moves.add(turned)
        if not whole:
            self._reshape(turned, wanted.name, wanted.sizes, True)
        return wanted

    def _unflatten(self, x: StoredLayout, image: FlattenedImage, wanted: StoredLayout) -> StoredLayout:
        whole = self._reshape(x.name, f"{wanted.name}.whole", image.sizes, True)
        self.append(helper.make_node("Transpose", [whole], [f"{wanted.name}.turned"], perm=list(image.permutation)))
        self.moves.add(f"{wanted.name}.turned")
        self._reshape(f"{wanted.name}.turned", wanted.name, wanted.sizes, True)
        return wanted

    def _reshape(self, source: str, name: str, sizes: Sequence[int], moves: bool = False) -> str:
        if len(sizes) == 2:
            self.append(helper.make_node("Flatten", [source], [name], axis=1))
        else:
            self.model.set_initializer(f"{name}.shape", np.asarray([0, *sizes[1:]], np.int64))
            self.append(helper.make_node("Reshape", [source, f"{name}.shape"], [name]))
        if moves:
            self.moves.add(name)
        return name

    def finish(self) -> None:
        """Bring every output into its natural order under its own name, and replace the nodes of the model."""
        for name in self.outputs:
            x = self.lying(name, natural(self.rank(name)))
            if x.name != name:
                self._name_output(x.name, name)
        del self.model.graph.node[:]
        self.model.graph.node.extend(self.nodes)
        del self.model.graph.value_info[:]
        for name, x in (*self.stored.items(), *((name, x) for (name, _), x in self._moved.items())):
            self.model.set_tensor_shape(x.name, x.sizes, self.kinds.get(name) or TensorProto.FLOAT)
        used = {name for node in self.nodes for name in node.input}
        for initializer in [i for i in self.model.graph.initializer if i.name not in used]:
            self.model.graph.initializer.remove(initializer)

    def _name_output(self, made: str, name: str) -> None:
        """Give the tensor `made` the border's name `name`, wherever it is written or read.

        A tensor that has a border's name already is passed on by an Identity.
        """
        border = {*self.outputs, *(v.name for v in self.model.graph.input)}
        if made in border:
            self.append(helper.make_node("Identity", [made], [name]))
            return
        for node in self.nodes:
            for names in (node.input, node.output):
                for place, other in enumerate(names):
                    if other == made:
                        names[place] = name
        if made in self.moves:
            self.moves.add(name)
        self.stored = {key: replace(x, name=name) if x.name == made else x for key, x in self.stored.items()}
