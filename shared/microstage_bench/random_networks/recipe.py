"""A random network as a few lines that make it again: its seed, its style, its blocks and the choices that each of them
made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import onnx

from microstage_bench.random_networks import blocks, everyday
from microstage_bench.random_networks.draws import Draws
from microstage_bench.random_networks.exact import ExactNetwork
from microstage_bench.random_networks.names import STYLES

__all__ = ["LAYERS", "RandomNetwork", "Recipe", "RecipeStep", "draw_recipe", "build_network"]

LAYERS = 60
_IMAGE, _ROW = blocks.IMAGE | everyday.IMAGE, blocks.ROW | everyday.ROW
_STARTS = {block.__name__: block for block in blocks.STARTS}
_BLOCKS = {block.__name__: block for block in (*_IMAGE, *_ROW, blocks.end)}
_OPSETS = (13, 17, 21)


@dataclass(frozen=True)
class RecipeStep:
    """A block by its name, the seed of its draws, and the choices it makes, lowest is simplest; None: whatever the seed
    draws."""

    block: str
    seed: int
    choices: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Recipe:
    """What a network is made of; the first step is where it begins."""

    qonnx: bool
    exact: bool
    opset: int
    style: str
    width: int
    steps: tuple[RecipeStep, ...]

    def described(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> Recipe:
        """Read what `described` wrote."""
        steps = tuple(
            RecipeStep(s["block"], s["seed"], s["choices"] and tuple(s["choices"])) for s in described["steps"]
        )
        return cls(**{**described, "steps": steps})


@dataclass(frozen=True)
class RandomNetwork:
    """The file, real inputs [vectors, ...] and answers of another executor in its order, and the recipe with all
    choices in it."""

    model: onnx.ModelProto
    inputs: list[np.ndarray]
    answers: list[np.ndarray]
    recipe: Recipe


def draw_recipe(seed: int, layers: int = LAYERS) -> Recipe:
    """Draw the network of one seed, of up to `layers` blocks behind its beginning."""
    rng = Draws(seed)
    qonnx, exact = bool(rng.integers(0, 2)), bool(rng.integers(0, 4))
    opset, style, count = rng.choice(_OPSETS), rng.choice([*STYLES]), rng.about(layers)
    width = rng.choice([8] * 8 + [16, 12] if exact else [8, 8, 8, 16])
    start = _one(rng, blocks.STARTS)
    images = 0 if start == "numbers" else rng.integers(0, count + 1)
    names = [start, *(_one(rng, _IMAGE) for _ in range(images)), *(_one(rng, _ROW) for _ in range(count - images))]
    seeds = np.random.SeedSequence(seed).generate_state(len(names) + 1)
    return Recipe(
        qonnx, exact, opset, style, width, tuple(RecipeStep(n, int(s)) for n, s in zip([*names, "end"], seeds))
    )


def build_network(recipe: Recipe) -> RandomNetwork:
    """Build the network of `recipe` and its vectors; leave out a block behind which there is nothing to compare."""
    taken: list[RecipeStep] = []
    net = ExactNetwork(Draws(0), recipe.qonnx, recipe.exact, recipe.opset, recipe.width)
    value = ""
    for step in recipe.steps:
        net.rng = Draws(step.seed, step.choices)
        value = _followed(net, step.block, value) if value else _STARTS[step.block](net)
        taken.append(replace(step, choices=tuple(net.rng.taken)))
    model = net.model([value], recipe.style)
    return RandomNetwork(model, list(net.inputs.values()), [net.values[value]], replace(recipe, steps=tuple(taken)))


def _followed(net: ExactNetwork, block: str, value: str) -> str:
    """Add a block behind the tensor `value` and return its end: `value` itself where nothing would be left of it."""
    nodes, behind = len(net.nodes), _BLOCKS[block](net, value)
    if block != "end" and net.rests(behind):
        del net.nodes[nodes:]
        return value
    return behind


def _one(rng: Draws, table: Mapping[blocks.Start, int] | Mapping[blocks.Block, int]) -> str:
    return rng.choice([block.__name__ for block, often in table.items() for _ in range(often)])
