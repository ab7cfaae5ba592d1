"""Run the nodes of an untouched file by others: onnxruntime with graph optimisations off, and qonnx's own functions.

Nodes of ONNX run in one session of onnxruntime up to the next that is qonnx's. A file that is newer than the executor
is read with a lower IR number, which says nothing of what its operators mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import getCustomOp, hasCustomOp

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage_streamline.prove.unsaturated import unsaturated
from microstage_streamline.read.narrow_types import narrow_tensors
from microstage_streamline.read.onnx_graph import reads

__all__ = ["CannotRun", "FilePart", "OriginalModel"]

_QONNX = "qonnx.custom_op.general"
_IRS = (4, 10)  # constants need not be inputs; what every onnxruntime since 1.18 reads

Arrays = Mapping[str, np.ndarray]


class CannotRun(ModelError):
    """An executor refuses nodes of the file; the text is its own."""


class OriginalModel:
    """A file's nodes in an order in which they can be run. `batch`: the samples that it takes at once; None for any."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        stored = [
            (node, a.t)
            for node in model.graph.node
            if node.op_type == "Constant"
            for a in node.attribute
            if a.name == "value"
        ]
        self.constants |= {node.output[0]: numpy_helper.to_array(tensor) for node, tensor in stored}
        self.inputs = {v.name: v.type.tensor_type for v in model.graph.input if v.name not in self.constants}
        self.outputs = [v.name for v in model.graph.output]
        self.nodes = _ordered(model.graph.node, {*self.constants, *self.inputs})
        self.makers = {name: place for place, node in enumerate(self.nodes) for name in node.output if name}
        self.computed = set(self.inputs)
        for node in self.nodes:
            if self.computed & set(reads(node)):
                self.computed |= set(node.output)
        self.narrow = narrow_tensors(self.nodes, model.graph)
        batches = {kind.shape.dim[0].dim_value for kind in self.inputs.values() if kind.shape.dim}
        self.batch = max(0, *batches, 0) or None

    def kind(self, name: str) -> np.dtype:
        """Return the NumPy type of a graph input."""
        return helper.tensor_dtype_to_np_dtype(self.inputs[name].elem_type)

    def where(self, place: int) -> str:
        """Return what a person calls a node."""
        return self.nodes[place].name or f"node {place} ({self.nodes[place].op_type})"

    def program(self, outputs: Sequence[str], stops: Set[str]) -> FilePart:
        """Return what computes `outputs` from those of `stops`, and graph inputs, that are met on the way back."""
        open_ = list(outputs)
        places: set[int] = set()
        sources: set[str] = set()
        while open_:
            name = open_.pop()
            if name in self.inputs or name in stops and name not in outputs:
                sources.add(name)
            elif name in self.computed and (place := self.makers[name]) not in places:
                places.add(place)
                open_ += [read for read in reads(self.nodes[place]) if read]
        return FilePart(self, list(outputs), sorted(sources), sorted(places))

    def stored(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Return constants by name; those that nodes compute are computed, once."""
        wanted, open_ = [], [name for name in names if name not in self.constants]
        while open_:
            place = self.makers[open_.pop()]
            wanted.append(place)
            open_ += [read for read in reads(self.nodes[place]) if read and read not in self.constants]
        for place in sorted(set(wanted)):
            node = self.nodes[place]
            if not set(node.output) <= self.constants.keys():
                self.constants |= _made(self, [node], list(filter(None, node.output))).run({})
        return {name: self.constants[name] for name in names}


@dataclass
class FilePart:
    """Nodes of a file between `sources` and `outputs`; `by` names the executors once it has run."""

    file: OriginalModel
    outputs: list[str]
    sources: list[str]
    places: list[int]
    steps: list[_Session | _Function] | None = None

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        return [self.file.nodes[place] for place in self.places]

    @property
    def by(self) -> set[str]:
        return {step.by for step in self.steps or ()}

    def run(self, values: Arrays) -> dict[str, np.ndarray]:
        """Return the outputs for `values` [n, ...] of the sources, so many samples at a time as the file takes.

        `CannotRun` says why not.
        """
        count = len(next(iter(values.values())))
        if self.file.batch is None:
            try:
                found = self.once(values)
                if all(len(value) == count for value in found.values() if value.ndim):
                    return found
            except CannotRun:
                if count == 1:
                    raise
        size = self.file.batch or 1  # of any number, but mixed with others: one by one
        runs = [self._padded(values, start, size) for start in range(0, count, size)]
        if size == 1:  # a file of one sample may drop the axis of samples
            runs = [
                {name: value if value.shape[:1] == (1,) else value[None] for name, value in run.items()} for run in runs
            ]
        return {name: np.concatenate([run[name] for run in runs])[:count] for name in self.outputs}

    def _padded(self, values: Arrays, start: int, size: int) -> dict[str, np.ndarray]:
        """Return one batch, the last sample repeated where it is not full."""
        rows = np.minimum(np.arange(start, start + size), len(next(iter(values.values()))) - 1)
        return self.once({name: value[rows] for name, value in values.items()})

    def once(self, values: Arrays) -> dict[str, np.ndarray]:
        """Return the outputs as they come, for as many samples as the file takes at once."""
        self.steps = self.steps or self._steps()
        known = dict(values)
        for step in self.steps:
            known |= step.run(known)
        return {name: known[name] for name in self.outputs}

    def _steps(self) -> list[_Session | _Function]:
        """Split nodes into runs of ONNX's own, and qonnx's between them."""
        runs: list[list[onnx.NodeProto]] = []
        for node in self.nodes:
            if runs and not _is_qonnx(node) and not _is_qonnx(runs[-1][-1]):
                runs[-1].append(node)
            else:
                runs.append([node])
        steps, wanted = [], set(self.outputs)
        for nodes in reversed(runs):
            made = [name for node in nodes for name in node.output if name in wanted]
            steps.append(_made(self.file, nodes, made))
            wanted |= {name for node in nodes for name in reads(node)}
        return steps[::-1]


def _made(file: OriginalModel, nodes: list[onnx.NodeProto], outputs: list[str]) -> _Session | _Function:
    inner = {name for node in nodes for name in node.output}
    read = list(dict.fromkeys(name for node in nodes for name in reads(node) if name and name not in inner))
    constants = file.stored([name for name in read if name not in file.computed])
    kind = _Function if _is_qonnx(nodes[0]) else _Session
    return kind(file.model, nodes, [name for name in read if name in file.computed], outputs, constants)


class _Session:
    """Nodes of ONNX in onnxruntime, as they are written."""

    by = f"onnxruntime {onnxruntime.__version__}"

    def __init__(self, model: onnx.ModelProto, nodes, inputs: list[str], outputs: list[str], constants: Arrays) -> None:
        self.model, self.nodes, self.inputs, self.outputs, self.constants = model, nodes, inputs, outputs, constants
        self.session: onnxruntime.InferenceSession | None = None

    def run(self, values: Arrays) -> dict[str, np.ndarray]:
        fed = {name: np.ascontiguousarray(values[name]) for name in self.inputs}
        with _refusals_of(self.by):
            self.session = self.session or self._opened(fed)
            return dict(zip(self.outputs, self.session.run(self.outputs, fed)))

    def _opened(self, fed: Arrays) -> onnxruntime.InferenceSession:
        kinds = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in fed.items()}
        inputs = [helper.make_tensor_value_info(name, kind, [None] * fed[name].ndim) for name, kind in kinds.items()]
        outputs = [onnx.ValueInfoProto(name=name) for name in self.outputs]
        kept = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        nodes = unsaturated(self.nodes, {name: value.dtype for name, value in {**self.constants, **fed}.items()})
        graph = helper.make_graph(nodes, "layer", inputs, outputs, kept)
        opset = next((o.version for o in self.model.opset_import if o.domain in ("", "ai.onnx")), 1)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=int(np.clip(self.model.ir_version, *_IRS)))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class _Function:
    """One node in qonnx, whose domain files name in many ways."""

    by = f"qonnx {version('qonnx')}"

    def __init__(self, model: onnx.ModelProto, nodes, inputs: list[str], outputs: list[str], constants: Arrays) -> None:
        self.constants = constants
        (self.node,) = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        self.version = next((o.version for o in model.opset_import if o.domain == self.node.domain != ""), None)
        self.node.domain = _QONNX
        self.graph = _typed(model.graph, self.node.input)

    def run(self, values: Arrays) -> dict[str, np.ndarray]:
        context = {**self.constants, **{name: values[name] for name in self.node.input if name in values}}
        with _refusals_of(self.by), np.errstate(all="ignore"):
            operator = getCustomOp(self.node, self.version)
            context |= self._places(operator, context)
            operator.execute_node(context, self.graph)
        return {name: np.asarray(context[name]) for name in self.node.output}

    def _places(self, operator: CustomOp, context: Arrays) -> dict[str, np.ndarray]:
        """Return empty outputs: some operators look for the shape of what they are to write."""
        if self.node.op_type == "MaxPoolNHWC":
            made = operator.make_shape_compatible_op(_Shapes(context))
            return {self.node.output[0]: np.zeros(helper.get_node_attr_value(made, "shape"), np.float32)}
        if self.node.op_type != "QuantAvgPool2d":
            return {}
        kernel, stride = operator.get_nodeattr("kernel"), operator.get_nodeattr("stride")
        first, last = (1, 3) if operator.get_nodeattr("data_layout") == "NHWC" else (2, 4)
        shape = list(context[self.node.input[0]].shape)
        shape[first:last] = [(size - kernel) // stride + 1 for size in shape[first:last]]
        return {self.node.output[0]: np.zeros(shape, np.float32)}


@dataclass(frozen=True)
class _Shapes:
    """What qonnx asks a model for."""

    context: Arrays

    def get_tensor_shape(self, name: str) -> list[int]:
        return list(self.context[name].shape)


def _typed(graph: onnx.GraphProto, names: Iterable[str]) -> onnx.GraphProto:
    """Return what qonnx asks of a graph: the datatype of each of a node's inputs, which a file need not say."""
    said = [found for found in graph.quantization_annotation if found.tensor_name in names]
    real = onnx.StringStringEntryProto(key="finn_datatype", value="FLOAT32")
    unsaid = dict.fromkeys(name for name in names if name and name not in {found.tensor_name for found in said})
    said += [onnx.TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[real]) for name in unsaid]
    return onnx.GraphProto(quantization_annotation=said, value_info=graph.value_info)


def _refusals_of(by: str) -> AbstractContextManager[None]:
    """Raise a foreign program's complaint as a `CannotRun`, in one line."""
    return translated(lambda said: CannotRun(f"{by}: {said}"))


def _is_qonnx(node: onnx.NodeProto) -> bool:
    return not (node.domain == "com.microsoft" or onnx.defs.has(node.op_type)) and hasCustomOp(_QONNX, node.op_type)


def _ordered(nodes: Sequence[onnx.NodeProto], known: Set[str]) -> list[onnx.NodeProto]:
    """Return nodes each behind those that it reads: in the file's own order, unless it is none."""
    made, waiting, ordered = {"", *known}, list(nodes), []
    while waiting:
        ready = []
        for node in waiting:
            if made.issuperset(reads(node)):
                ready.append(node)
                made.update(node.output)
        if not ready:
            raise CannotRun(f"{waiting[0].name or waiting[0].op_type} reads what no node before it computes.")
        ordered += ready
        waiting = [node for node in waiting if not made.issuperset(node.output)]
    return ordered
