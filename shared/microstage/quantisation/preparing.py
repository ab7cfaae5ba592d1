"""Rewrite a float network into the layers that quantisers know. Every rewrite is checked against the network before."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from brevitas.fx.brevitas_tracer import symbolic_trace
from brevitas.graph.base import GraphTransform
from brevitas.graph.fixed_point import MergeBatchNorm
from brevitas.graph.per_input import AdaptiveAvgPoolToAvgPool
from brevitas.graph.standardize import (
    DuplicateSharedStatelessModule,
    MeanMethodToAdaptiveAvgPool2d,
    RemoveStochasticModules,
    TorchFunctionalToModule,
)
from torch import Tensor, fx, nn

from microstage.errors import ModelError, VerificationError

__all__ = ["FUNCTIONS", "METHODS", "MODULES", "PreparedNetwork", "prepare"]

MODULES = (
    nn.AdaptiveAvgPool2d,
    nn.AvgPool2d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.Conv1d,
    nn.Conv2d,
    nn.Dropout,
    nn.Dropout2d,
    nn.Flatten,
    nn.Identity,
    nn.Linear,
    nn.MaxPool2d,
    nn.ReLU,
    nn.ReLU6,
)
FUNCTIONS = (
    operator.add,
    operator.iadd,
    operator.getitem,
    getattr,
    torch.add,
    torch.flatten,
    torch.relu,
    torch.reshape,
    F.adaptive_avg_pool2d,
    F.avg_pool2d,
    F.dropout,
    F.max_pool2d,
    F.relu,
    F.relu6,
)
METHODS = ("add", "add_", "flatten", "mean", "relu", "relu_", "reshape", "size", "view")
_TOLERANCE = 1e-5  # of the largest output


class PreparedNetwork(nn.Module):
    """A float network as a graph of layers, and the batch [n, ...] that it was traced with."""

    def __init__(self, graph_module: fx.GraphModule, example: Tensor) -> None:
        super().__init__()
        self.graph_module, self.example = graph_module, example

    def forward(self, x: Tensor) -> Tensor:
        return self.graph_module(x)


def prepare(model: nn.Module, example: Tensor) -> PreparedNetwork:
    """Return `model` as a graph of layers that can be quantised: functions as modules, batch norms folded, no dropout.

    `example` [n, ...] is a batch that the model can be called with. The model itself stays as it is. Raise `ModelError`
    for an operation that has no integer form, with its line in the user's source, and `VerificationError` where a
    rewrite changes what is computed, with the layer.
    """
    model = copy.deepcopy(model).eval()
    _assert_supported(model)
    graph = symbolic_trace(model)
    for rewrite in _rewrites(example):
        before = copy.deepcopy(graph)
        graph = rewrite(graph).eval()
        _assert_equivalent(before, graph, example)
    return PreparedNetwork(graph, example)


def _rewrites(example: Tensor) -> Iterator[Callable[[fx.GraphModule], fx.GraphModule]]:
    yield from (one.apply for one in (_ReluToModule(), TorchFunctionalToModule(), DuplicateSharedStatelessModule()))
    yield from (one.apply for one in (MeanMethodToAdaptiveAvgPool2d(), RemoveStochasticModules(), _RemoveDropout()))
    yield MergeBatchNorm().apply
    yield lambda graph: AdaptiveAvgPoolToAvgPool().apply(graph, example)


class _ReluToModule(GraphTransform):
    """`torch.relu(x)`, `x.relu()` -> nn.ReLU."""

    def apply(self, graph_model: fx.GraphModule) -> fx.GraphModule:
        for node in list(graph_model.graph.nodes):
            if node.target in (torch.relu, "relu", "relu_"):
                name = f"{node.name}_module"
                graph_model.add_submodule(name, nn.ReLU())
                with graph_model.graph.inserting_after(node):
                    node.replace_all_uses_with(graph_model.graph.call_module(name, (node.args[0],)))
                graph_model.graph.erase_node(node)
        return _recompiled(graph_model)


class _RemoveDropout(GraphTransform):
    """Dropout and identities do nothing at inference: take them out."""

    def apply(self, graph_model: fx.GraphModule) -> fx.GraphModule:
        modules = dict(graph_model.named_modules())
        for node in list(graph_model.graph.nodes):
            module = modules.get(node.target) if node.op == "call_module" else None
            if isinstance(module, (nn.Dropout, nn.Dropout2d, nn.Identity)) or node.target is F.dropout:
                node.replace_all_uses_with(node.args[0] if node.args else node.kwargs["input"])
                graph_model.graph.erase_node(node)
        return _recompiled(graph_model)


def _recompiled(graph_model: fx.GraphModule) -> fx.GraphModule:
    graph_model.graph.lint()
    graph_model.recompile()
    return graph_model


class _Recording(fx.Tracer):
    record_stack_traces = True


def _assert_supported(model: nn.Module) -> None:
    """`ModelError` for the first operation outside of the three lists above, with its place in the user's source."""
    try:
        graph = _Recording().trace(model)
    except Exception as error:  # whatever the user's own forward raises when it is called with proxies
        raise ModelError(f"The network cannot be traced: {_one_line(error)}.") from None
    modules = dict(model.named_modules())
    for node in graph.nodes:
        what = _unsupported(node, modules)
        if what:
            raise ModelError(f"{what} has no integer form here{_place(node)}.")


def _unsupported(node: fx.Node, modules: dict[str, nn.Module]) -> str | None:
    if node.op == "call_module" and type(modules[node.target]) not in MODULES:
        return f"nn.{type(modules[node.target]).__name__} (layer {node.target})"
    if node.op == "call_function" and node.target not in FUNCTIONS:
        return f"{getattr(node.target, '__module__', '')}.{node.target.__name__}"
    if node.op == "call_method" and node.target not in METHODS:
        return f"Tensor.{node.target}"
    return f"The tensor {node.target}" if node.op == "get_attr" else None


def _place(node: fx.Node) -> str:
    """', at FILE, line N: SOURCE' of the last frame that is not torch's."""
    lines = [line.strip() for line in (node.stack_trace or "").splitlines()]
    frames = [(place, source) for place, source in zip(lines, lines[1:]) if place.startswith("File ")]
    own = [frame for frame in frames if "/torch/" not in frame[0] and "/microstage/" not in frame[0]]
    if not own:
        return ""
    place, source = own[-1]
    return f", at {place.removeprefix('File ').rsplit(', in ', 1)[0]}: {source}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


@torch.no_grad()
def _assert_equivalent(before: fx.GraphModule, after: fx.GraphModule, example: Tensor) -> None:
    expected, given = before(example), after(example)
    if given.shape == expected.shape and _error(given, expected) <= _TOLERANCE:
        return
    layer = _first_difference(before, after, example)
    raise VerificationError(
        f"Rewriting the network changed what it computes, first in {layer}: its output moved by "
        f"{_error(given, expected) if given.shape == expected.shape else 'a shape'} of its largest value; "
        f"at most {_TOLERANCE:g} is allowed."
    )


def _first_difference(before: fx.GraphModule, after: fx.GraphModule, example: Tensor) -> str:
    old, new = _Outputs(before), _Outputs(after)
    old.run(example)
    new.run(example)
    for name, value in new.outputs.items():
        if name in old.outputs and (
            value.shape != old.outputs[name].shape or _error(value, old.outputs[name]) > _TOLERANCE
        ):
            return f"layer {name}"
    return "its last layer"


class _Outputs(fx.Interpreter):
    """Keep the output of every layer, by module path."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.outputs: dict[str, Tensor] = {}

    def call_module(self, target: str, args: tuple, kwargs: dict) -> Tensor:
        self.outputs[target] = super().call_module(target, args, kwargs)
        return self.outputs[target]


def _error(given: Tensor, expected: Tensor) -> float:
    return float((given - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
