"""Which operations have an integer form. What has none is named, with its place in the user's source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, fx, nn

from microstage.errors import ModelError
from microstage.quantisation.preparing.arguments import (
    ADDITIONS,
    IDENTITIES,
    JOINS,
    MEANS,
    POOLS,
    RELUS,
    RELUS6,
    RESHAPES,
    SIZES,
    argument,
    settings,
)
from microstage.quantisation.preparing.tracing import place_of, shapes_of

__all__ = ["MODULES", "assert_supported"]

MODULES = (
    *(nn.Conv1d, nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d),
    *(nn.ReLU, nn.ReLU6, nn.Dropout, nn.Dropout2d, nn.Identity, nn.Flatten),
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.MaxPool1d, nn.MaxPool2d),
)
_CALLS = (*RELUS, *RELUS6, *RESHAPES, *MEANS, *IDENTITIES, *ADDITIONS, *JOINS, *POOLS)
Shapes = Mapping[fx.Node, tuple[int, ...]]


def assert_supported(graph: fx.GraphModule, example: Tensor) -> None:
    """Raise `ModelError` for the first operation that has no integer form, with its place in the user's source."""
    modules, shapes = dict(graph.named_modules()), None
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
    if len(inputs) > 1 and not all(node.args for node in inputs[1:]):
        raise ModelError(f"The network reads {len(inputs)} inputs; one is what can be quantised.")
    for node in graph.graph.nodes:
        _refuse(node, _unknown(node, modules))
    shapes = shapes_of(graph, example)
    for node in graph.graph.nodes:
        for reason in _reasons(node, modules, shapes):
            _refuse(node, reason)


def _refuse(node: fx.Node, reason: str | None) -> None:
    if reason:
        user = next(iter(node.users), node)  # a tensor is named where it is read
        raise ModelError(f"{reason} has no integer form here{place_of(user if node.op == 'get_attr' else node)}.")


def _unknown(node: fx.Node, modules: Mapping[str, nn.Module]) -> str | None:
    if node.op == "call_module" and type(modules[node.target]) not in MODULES:
        return f"nn.{type(modules[node.target]).__name__} (layer {node.target})"
    if node.op == "call_function" and node.target not in (*_CALLS, *SIZES):
        return f"{getattr(node.target, '__module__', '')}.{node.target.__name__}"
    if node.op == "call_method" and node.target not in (*_CALLS, *SIZES):
        return f"Tensor.{node.target}"
    return f"The tensor {node.target}" if node.op == "get_attr" else None


def _reasons(node: fx.Node, modules: Mapping[str, nn.Module], shapes: Shapes) -> Iterator[str]:
    """Yield what a known operation does that has no integer form."""
    if node.op == "call_module":
        module, source = modules[node.target], shapes[node.args[0]]
        for reason in _of_module(module, source):
            yield f"nn.{type(module).__name__} (layer {node.target}) {reason}"
    elif node.target in POOLS:
        kind, names = POOLS[node.target]
        for reason in _of_module(kind(**settings(node, names)), shapes[node.all_input_nodes[0]]):
            yield f"{node.target.__name__} {reason}"
    elif node.target in ADDITIONS:
        yield from _of_sum(node, shapes)
    elif node.target in (*RESHAPES, *MEANS):
        yield from _of_move(node, shapes)
    elif node.target in SIZES and node in shapes:
        yield f"{getattr(node.target, '__name__', node.target)} of a tensor"


def _of_module(module: Any, source: tuple[int, ...]) -> Iterator[str]:
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        yield from _of_convolution(module)
    elif isinstance(module, nn.Linear) and len(source) != 2:
        yield f"on a tensor of {len(source)} axes (flatten it to 2)"
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and module.running_mean is None:
        yield "without running statistics"
    elif isinstance(module, (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)):
        yield from _of_adaptive_pool(module, source)
    elif isinstance(module, (nn.AvgPool1d, nn.AvgPool2d)):
        if module.ceil_mode or (not module.count_include_pad and _any(module.padding)):
            yield "with windows of several areas (ceil_mode, or count_include_pad=False)"
        if getattr(module, "divisor_override", None):
            yield "with divisor_override"
    elif getattr(module, "return_indices", False):
        yield "with return_indices"


def _of_convolution(module: nn.Conv1d | nn.Conv2d) -> Iterator[str]:
    if module.padding_mode != "zeros":
        yield f"with padding_mode={module.padding_mode!r}"
    spans = [dilation * (kernel - 1) for dilation, kernel in zip(module.dilation, module.kernel_size)]
    if module.padding == "same" and any(span % 2 for span in spans):
        yield "with padding='same' and an even kernel, which pads one side more,"


def _of_adaptive_pool(module: Any, source: tuple[int, ...]) -> Iterator[str]:
    given = source[2:]
    wanted = module.output_size if isinstance(module.output_size, tuple) else (module.output_size,) * len(given)
    if any(size % (want or size) for size, want in zip(given, wanted)):
        sizes = " x ".join(map(str, given)), " x ".join(map(str, wanted))
        yield f"from {sizes[0]} to {sizes[1]}, which no windows of one size give,"


def _of_sum(node: fx.Node, shapes: Shapes) -> Iterator[str]:
    terms = [*node.args[:2], *(node.kwargs[name] for name in ("input", "other") if name in node.kwargs)]
    if not all(term in shapes for term in terms if isinstance(term, fx.Node)):
        return  # a sum of sizes
    if not all(isinstance(term, fx.Node) for term in terms):
        yield "Adding a number"
    if argument(node, 2, "alpha", 1) != 1:
        yield "add with alpha"


def _of_move(node: fx.Node, shapes: Shapes) -> Iterator[str]:
    source = shapes[node.all_input_nodes[0]]
    name = getattr(node.target, "__name__", node.target)
    if node.target in MEANS:
        dims = argument(node, 1, "dim")
        chosen = {dim % len(source) for dim in ((dims,) if isinstance(dims, int) else dims or ())}
        if chosen != set(range(2, len(source))) or not chosen:
            yield f"{name} over {dims}: of means there is that over a whole image, (2, 3), which"
    elif shapes[node][:1] != source[:1]:
        yield f"{name} from {list(source)} to {list(shapes[node])}, which moves data between samples,"


def _any(value: int | tuple[int, ...]) -> bool:
    return any(value) if isinstance(value, tuple) else bool(value)
