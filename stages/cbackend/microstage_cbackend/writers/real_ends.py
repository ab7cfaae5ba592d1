"""Know the inputs and outputs of a whole network as real numbers: scales, offsets, and what C calls them."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.errors import ArtefactError, ModelError
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.vectors.real import RealVectors
from microstage_cbackend.writers.api import Api
from microstage_cbackend.writers.names import Names

__all__ = ["RealEnds"]


class RealEnds:
    """Hold `inputs` and `outputs` of `<model>_infer` with their `facts`, what interface.json says of each by name.

    `taken` and `given`: what C calls them. `reals`: {real input: the tensors that are made of it}, `named_reals`: what
    C calls these. `possible`: whether each has a scale, and there are `real` vectors to compare functions of real
    numbers on. Raises `ArtefactError` or `ModelError` for scales and offsets that no function can have.
    """

    def __init__(self, api: Api, real: RealVectors | None) -> None:
        self.model, self.name, self.upper = api.model, api.model.name, api.model.name.upper()
        self.inputs: list[Tensor] = api.infer.inputs if api.infer else []
        self.outputs: list[tuple[str, Tensor]] = api.infer.outputs if api.infer else []
        self.taken = dict(zip((t.name for t in self.inputs), api.infer.taken)) if api.infer else {}
        self.given = dict(zip((n for n, _ in self.outputs), api.infer.given)) if api.infer else {}
        self.names = Names(self.name)
        for own in (*self.taken.values(), *self.given.values()):
            self.names.fresh(own)
        self.reals = self.model.real_inputs()
        self.named_reals = {n: self.taken[n] if n in self.taken else self.names.fresh(n) for n in self.reals}
        self.tensors = {**{t.name: t for t in self.inputs}, **dict(self.outputs)}
        known = self.model.facts_of_ends()
        self.facts: dict[str, dict[str, Any]] = {name: known.get(name, {}) for name in self.tensors}
        self.possible = real is not None and all(facts.get("scale") is not None for facts in self.facts.values())
        self.gain = self.model.gain
        for name, tensor in self.tensors.items():
            self._check(name, tensor.size)

    def _check(self, name: str, size: int) -> None:
        """Raise where scale or offset of `name`, which has `size` values, cannot be."""
        for fact in ("scale", "offset"):
            given = self.facts[name].get(fact)
            if isinstance(given, list) and len(given) != size:
                raise ArtefactError(
                    f"{name} has {size} values and interface.json a {fact} of {len(given)}; expected one, or one for "
                    "each."
                )
        if self.possible and not all(v and np.isfinite(v) for v in np.atleast_1d(self.facts[name]["scale"])):
            raise ArtefactError(
                f"{name} has the scale {self.facts[name]['scale']}; expected finite numbers other than 0."
            )
        if self.gain and name in (self.gain.window, *self.gain.outputs) and self.offset_of(name) != 0:
            raise ModelError(f"{name} has an offset beside a gain; expected multiples of the gain.")

    def offset_of(self, name: str) -> float | list[float]:
        """Return what is added to scale x integer, one number or one for each value."""
        return self.facts[name].get("offset") or 0.0

    def has_gain(self, name: str) -> bool:
        """Tell whether input `name` is the window that the gain is taken of."""
        return self.gain is not None and name == self.gain.window

    def differs(self, name: str) -> bool:
        """Tell whether the values of an output have scales or offsets of their own.

        Their integers are then in another order than the values.
        """
        return any(isinstance(self.facts[name].get(fact), list) for fact in ("scale", "offset"))
