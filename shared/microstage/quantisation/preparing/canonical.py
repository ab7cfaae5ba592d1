"""One form for each thing: functions and methods as modules, every reshape as `reshape`, nothing in place."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from torch import Tensor, fx, nn

from microstage.quantisation.preparing.arguments import (
    ADDITIONS,
    IDENTITIES,
    MEANS,
    POOLS,
    RELUS,
    RELUS6,
    RESHAPES,
    argument,
    settings,
)
from microstage.quantisation.preparing.tracing import shapes_of

__all__ = ["canonical"]

_IN_PLACE = ("relu_", "add_", "iadd", "__iadd__")


def canonical(graph: fx.GraphModule, example: Tensor) -> None:
    """Rewrite every node into the form that the lists of `arguments` say."""
    shapes = shapes_of(graph, example)
    for node in list(graph.graph.nodes):
        in_place = _is_in_place(graph, node)
        source = node.all_input_nodes[0] if node.all_input_nodes else None
        with graph.graph.inserting_before(node):
            new = _Node(graph, node, shapes).rewritten()
        if new is not node:
            node.replace_all_uses_with(new)
            if node in shapes:
                shapes.setdefault(new, shapes[node])  # a pool behind it asks
        if in_place and source is not None:
            _read_instead(graph, source, new)
        if new is not node:
            graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()  # only now: what changes a tensor in place may have a result that nobody reads


class _Node:
    """One node, and what may take its place."""

    def __init__(self, graph: fx.GraphModule, node: fx.Node, shapes: dict[fx.Node, tuple[int, ...]]) -> None:
        self.graph, self.node, self.shapes = graph, node, shapes

    def rewritten(self) -> fx.Node:
        """Return the node that stands for this one."""
        if self.node.op == "call_module":
            return self._of_module(self.graph.get_submodule(str(self.node.target)))
        for targets, rewrite in self._rewrites():
            if self.node.op in ("call_function", "call_method") and self.node.target in targets:
                return rewrite()
        return self.node

    def _rewrites(self) -> list[tuple[Any, Callable[[], fx.Node]]]:
        return [
            (RELUS, lambda: self._module(nn.ReLU())),
            (RELUS6, lambda: self._module(nn.ReLU6())),
            (POOLS, self._pool),
            (RESHAPES, self._reshape),
            (MEANS, self._mean),
            (IDENTITIES, lambda: self.node.all_input_nodes[0]),
            (ADDITIONS, self._add),
        ]

    def _of_module(self, module: nn.Module) -> fx.Node:
        if isinstance(module, (nn.Dropout, nn.Dropout2d, nn.Identity)):
            return self.node.all_input_nodes[0]
        if isinstance(module, nn.Flatten):
            return self._reshape()
        if isinstance(module, (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)):
            return self._module(self._average_to(module.output_size), str(self.node.target))
        if isinstance(module, (nn.Conv1d, nn.Conv2d)) and isinstance(module.padding, str):
            _pad_by_numbers(module)
        if hasattr(module, "inplace"):
            module.inplace = False
        return self.node

    def _pool(self) -> fx.Node:
        kind, names = POOLS[self.node.target]
        given = settings(self.node, names)
        return self._module(self._average_to(given["output_size"]) if "output_size" in given else kind(**given))

    def _average_to(self, size: int | tuple[int | None, ...]) -> nn.Module:
        """Return the pool whose windows, of one size, give an image of `size`."""
        given = self.shapes[self.node.all_input_nodes[0]][2:]
        wanted = size if isinstance(size, tuple) else (size,) * len(given)
        kernel = tuple(have // (want or have) for have, want in zip(given, wanted))
        return (nn.AvgPool1d if len(kernel) == 1 else nn.AvgPool2d)(kernel)

    def _mean(self) -> fx.Node:
        pooled = self._module(self._average_to(1))
        if argument(self.node, 2, "keepdim", False):
            return pooled
        return self._reshaped(pooled)

    def _reshape(self) -> fx.Node:
        return self._reshaped(self.node.all_input_nodes[0])

    def _reshaped(self, source: fx.Node) -> fx.Node:
        return self.graph.graph.call_method("reshape", (source, (-1, *self.shapes[self.node][1:])))

    def _add(self) -> fx.Node:
        if self.node not in self.shapes:
            return self.node  # of sizes
        terms = [*self.node.args, *(self.node.kwargs[name] for name in ("input", "other") if name in self.node.kwargs)]
        return self.graph.graph.call_function(operator.add, tuple(terms[:2]))

    def _module(self, module: nn.Module, name: str = "") -> fx.Node:
        """Return a call of a module, called as the node unless it has a name."""
        name = name or f"{self.node.name}_module"
        self.graph.add_submodule(name, module)
        return self.graph.graph.call_module(name, (self.node.all_input_nodes[0],))


def _is_in_place(graph: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return bool(getattr(graph.get_submodule(str(node.target)), "inplace", False))
    if node.op not in ("call_function", "call_method"):
        return False
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return name in _IN_PLACE or bool(node.kwargs.get("inplace", False))


def _read_instead(graph: fx.GraphModule, source: fx.Node, new: fx.Node) -> None:
    """Whoever read `source` after it was changed in place reads `new`."""
    order = {node: place for place, node in enumerate(graph.graph.nodes)}
    for user in list(source.users):
        if user is not new and order[user] > order[new]:
            user.replace_input_with(source, new)


def _pad_by_numbers(module: nn.Conv1d | nn.Conv2d) -> None:
    spans = [dilation * (kernel - 1) for dilation, kernel in zip(module.dilation, module.kernel_size)]
    module.padding = tuple(span // 2 if module.padding == "same" else 0 for span in spans)
