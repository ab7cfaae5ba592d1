"""The user's network as a graph, whose nodes know their place in the user's source."""

from __future__ import annotations

import traceback
from unittest.mock import patch

import torch
from torch import Tensor, fx, nn

from microstage.errors import ModelError

__all__ = ["place_of", "shapes_of", "trace"]

_NOT_THE_USERS = ("/torch/", "/microstage/quantisation/", "<eval_with_key>", "unittest/mock")


class _Tracer(fx.Tracer):
    record_stack_traces = True


def trace(model: nn.Module) -> fx.GraphModule:
    """Return the graph; `ModelError` for a network whose steps depend on its data."""
    try:
        # torch.reshape itself takes no shape that holds placeholders; the method does
        with patch.object(torch, "reshape", lambda input, shape: input.reshape(shape)):
            return fx.GraphModule(model, _Tracer().trace(model)).eval()
    except Exception as error:  # whatever the user's own forward raises when it is called with placeholders
        frames = traceback.extract_tb(error.__traceback__)
        own = [f', at "{one.filename}", line {one.lineno}: {one.line}' for one in frames if _is_users(one.filename)]
        text = " ".join(str(error).split()).rstrip(".")
        place = own[-1] if own else ""
        raise ModelError(f"The network cannot be traced, as its steps depend on its data: {text}{place}.") from None


def place_of(node: fx.Node) -> str:
    """Return ', at "FILE", line N: SOURCE' of the innermost frame that is neither torch's nor ours."""
    lines = [line.strip() for line in (node.stack_trace or "").splitlines()]
    frames = [(place, source) for place, source in zip(lines, lines[1:]) if place.startswith("File ")]
    for place, source in frames:
        if _is_users(place):
            return f", at {place.removeprefix('File ').rsplit(', in ', 1)[0]}: {source}"
    return ""


def _is_users(file: str) -> bool:
    return not any(part in file for part in _NOT_THE_USERS)


@torch.no_grad()
def shapes_of(graph: fx.GraphModule, example: Tensor) -> dict[fx.Node, tuple[int, ...]]:
    """Return the shape of every tensor in the graph, for an example [n, ...]."""
    shapes: dict[fx.Node, tuple[int, ...]] = {}

    class Shapes(fx.Interpreter):
        def run_node(self, node: fx.Node) -> object:
            result = super().run_node(node)
            if isinstance(result, Tensor):
                shapes[node] = tuple(result.shape)
            return result

    Shapes(graph).run(example.clone())
    return shapes
