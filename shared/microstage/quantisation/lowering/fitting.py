"""What a target's arithmetic holds: sums of 32 bits, shifts within its range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from microstage.errors import ModelError
from microstage.quantisation.integers.levels import Levels
from microstage.quantisation.integers.operations import Add, Operation, Product, Requantise
from microstage.quantisation.targets import Target

__all__ = ["assert_fits"]

_INT32 = 2**31 - 1


def assert_fits(
    operation: Requantise, operations: Iterable[Operation], levels: Mapping[str, Levels], target: Target
) -> None:
    """Raise `ModelError` where a requantiser needs a shift, or sums before it a width, that the target does not have.

    Pools, and changes of scale by themselves, are a processor's, which shifts either way and divides by any area.
    """
    source = next(one for one in operations if one.output == operation.inputs[0])
    if target.shift is not None and isinstance(source, (Product, Add)):
        _assert_shifts(operation, target, target.shift)
    if isinstance(source, Product):
        largest = source.largest(levels[source.inputs[0]]) + _half(operation)
        if largest > _INT32:
            raise ModelError(f"Layer {source.layer}: its sums reach {largest}, which 32 bits do not hold.")


def _assert_shifts(operation: Requantise, target: Target, allowed: tuple[int, int]) -> None:
    shifts = operation.shifts
    if shifts is None or min(shifts) < allowed[0] or max(shifts) > allowed[1]:
        what = "no power of two" if shifts is None else f"a shift by {min(shifts)} to {max(shifts)}"
        raise ModelError(
            f"Target {target.name} shifts by {allowed[0]} to {allowed[1]}; layer {operation.layer} would need {what}."
        )


def _half(operation: Requantise) -> int:
    """Return what rounding half up adds to a sum before it is shifted."""
    shifts = operation.shifts
    return 2 ** max(*shifts, 1) // 2 if shifts is not None and operation.rounding == "half-up" else 0
