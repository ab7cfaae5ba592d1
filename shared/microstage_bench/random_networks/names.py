"""Names as people and exporters give them: each style is a function of (operator, number) that never says one name
twice."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["STYLES"]

_RESERVED = "int float main register EOF NULL errno INT8_MAX exp malloc inline bool assert stdin I class".split()
_LONG = (
    "StatefulPartitionedCall/functional_1/batch_normalization/FusedBatchNormV3;functional_1/"
    "conv2d/BiasAdd/ReadVariableOp/"
)


def _reserved(operator: str, number: int) -> str:
    again, place = divmod(number, len(_RESERVED))
    return _RESERVED[place] + "_" * again


STYLES: dict[str, Callable[[str, int], str]] = {
    "exporter": lambda operator, number: f"/{operator.lower()}/{operator}_output_{number}",
    "reserved": _reserved,
    "long": lambda operator, number: f"{_LONG}{operator}{number}",
    "unicode": lambda operator, number: f"größe/層.{number}",
    "colliding": lambda operator, number: f"out{':/'[number % 2]}{number // 2}",
    "numbers": lambda operator, number: str(number),
}
