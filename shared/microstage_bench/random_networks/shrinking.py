"""A network that fails, made simpler for as long as it fails: fewer blocks, plainer names and forms, lower choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from microstage_bench.random_networks.recipe import Recipe

__all__ = ["shrunk"]

_PLAIN: dict[str, Any] = {"style": "exporter", "opset": 13, "exact": True, "qonnx": False, "width": 8}


def shrunk(recipe: Recipe, fails: Callable[[Recipe], Recipe | None]) -> Recipe:
    """Return the simplest recipe that greedy steps lead to. `fails` gives back a recipe that fails as `recipe` does,
    with the choices that it made, and None for another; it may give None for good to end the search.
    """
    found = True
    while found:
        found = False
        for way in (_fewer, _plainer, _lower):
            while (simpler := _first(way(recipe), fails)) is not None:
                recipe, found = simpler, True
    return recipe


def _first(candidates: Iterator[Recipe], fails: Callable[[Recipe], Recipe | None]) -> Recipe | None:
    return next((failing for failing in map(fails, candidates) if failing is not None), None)


def _fewer(recipe: Recipe) -> Iterator[Recipe]:
    """Yield recipes without some blocks in a row, many first; beginning and end stay."""
    inner = len(recipe.steps) - 2
    length = inner
    while length:
        for start in range(1, inner - length + 2):
            yield replace(recipe, steps=recipe.steps[:start] + recipe.steps[start + length :])
        length //= 2


def _plainer(recipe: Recipe) -> Iterator[Recipe]:
    for name, value in _PLAIN.items():
        if getattr(recipe, name) != value:
            yield replace(recipe, **{name: value})


def _lower(recipe: Recipe) -> Iterator[Recipe]:
    """Yield recipes with the choices of one block all at their lowest, or one of them so, or half as high."""
    for place, step in enumerate(recipe.steps):
        for choices in _lowered(step.choices or ()):
            yield replace(
                recipe, steps=(*recipe.steps[:place], replace(step, choices=choices), *recipe.steps[place + 1 :])
            )


def _lowered(choices: Sequence[int]) -> Iterator[tuple[int, ...]]:
    if any(choices):
        yield (0,) * len(choices)
    for place, choice in enumerate(choices):
        for lower in sorted({0, choice // 2} - {choice}):
            yield (*choices[:place], lower, *choices[place + 1 :])
