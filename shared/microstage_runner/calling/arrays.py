"""What a user gives for the inputs of a network, checked, as arrays of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.errors import ParameterError

__all__ = ["Expected", "Given", "as_array", "given_arrays"]


@dataclass(frozen=True)
class Expected:
    """An input: its name, the shape of one sample, and the integers that it may have.

    A first size of None is as many steps as one likes, of `window` values each where a step has no dimension.
    """

    name: str
    shape: tuple[int | None, ...]
    range: tuple[int, int] | None = None
    window: int = 1

    def of_samples(self, shape: tuple[int, ...]) -> bool | None:
        """Return whether values of this shape are one sample (True) or several (False); None where they are neither.

        Sizes of 1 may be left out of a sample.
        """
        for own in (self.shape, tuple(size for size in self.shape if size != 1)):
            for alone, sample in ((True, shape), (False, shape[1:])):
                if (alone or shape) and self._fits(sample, own):
                    return alone
        return None

    def _fits(self, shape: tuple[int, ...], own: tuple[int | None, ...]) -> bool:
        same = len(shape) == len(own) and all(wanted in (None, size) for wanted, size in zip(own, shape))
        return same and (own[:1] != (None,) or bool(shape[0]) and shape[0] % self.window == 0)

    def __str__(self) -> str:
        steps = "steps" if self.window == 1 else f"steps * {self.window}"
        return ", ".join(steps if size is None else str(size) for size in self.shape)


@dataclass(frozen=True)
class Given:
    """Arrays [n, ...] by input; `alone` where one sample was given without a dimension of its own."""

    arrays: Mapping[str, np.ndarray]
    alone: bool

    @property
    def count(self) -> int:
        return len(next(iter(self.arrays.values())))

    def as_given(self, found: np.ndarray) -> np.ndarray:
        """Return answers [n, ...] in the form in which the samples came."""
        return found[0] if self.alone else found


def given_arrays(x: Any, expected: Sequence[Expected]) -> Given:
    """Return the inputs that `x` is: an array where there is one input, else {input: array}.

    Each is one sample, or a batch of them in front. Raise `ParameterError` for another shape or type, for integers
    beyond the range of an input, and for what is no finite number.
    """
    values = dict(x) if isinstance(x, Mapping) else {expected[0].name: x}
    names = [one.name for one in expected]
    if set(values) != set(names):
        raise ParameterError(f"Expected values of the inputs {', '.join(names)}, as a dictionary; found {_names(x)}.")
    found = {one.name: _array(one, values[one.name]) for one in expected}
    alone = {name for name, (_, alone) in found.items() if alone}
    counts = {len(array) for array, _ in found.values()}
    if len(counts) > 1 or alone and len(alone) < len(found):
        raise ParameterError(f"The inputs {', '.join(names)} hold different numbers of samples.")
    return Given({name: array for name, (array, _) in found.items()}, bool(alone))


def _names(x: Any) -> str:
    return ", ".join(map(str, x)) if isinstance(x, Mapping) else f"one {type(x).__name__}"


def as_array(name: str, value: Any) -> np.ndarray:
    """Return a value as an array; raise `ParameterError` for what is none."""
    try:
        return np.asarray(value)
    except ValueError:
        raise ParameterError(f"{name} is no array: its rows have different lengths.") from None


def _array(one: Expected, value: Any) -> tuple[np.ndarray, bool]:
    """Return [n, ...] and whether it was a single sample."""
    array = as_array(one.name, value)
    if array.dtype.kind not in "iuf":
        raise ParameterError(f"{one.name} holds {array.dtype}; expected integers, or real numbers.")
    alone = one.of_samples(array.shape)
    if alone is None:
        raise ParameterError(f"{one.name} has shape {list(array.shape)}; expected [{one}], or [n, {one}] of n samples.")
    _assert_values(one, array)
    return (array[None] if alone else array), alone


def _assert_values(one: Expected, array: np.ndarray) -> None:
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            if not np.isfinite(array.astype(np.float32)).all():
                raise ParameterError(f"{one.name} holds what is no finite number of float32: NaN, or beyond its range.")
    elif one.range and array.size and not one.range[0] <= array.min() <= array.max() <= one.range[1]:
        raise ParameterError(
            f"{one.name} holds integers from {array.min()} to {array.max()};"
            f" expected {one.range[0]} to {one.range[1]}, or real numbers as floats."
        )
