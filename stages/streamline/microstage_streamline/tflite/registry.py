"""What becomes of each operator of a .tflite file: a function that appends nodes to a `Builder`."""

from __future__ import annotations

from collections.abc import Callable

from microstage_streamline.tflite.builder import Builder
from microstage_streamline.tflite.file import Operator

__all__ = ["OPERATORS", "reads"]

OPERATORS: dict[str, Callable[[Builder, Operator], None]] = {}


def reads(*kinds: str) -> Callable[[Callable[[Builder, Operator], None]], Callable[[Builder, Operator], None]]:
    """Register a function under names of the schema's operators; a `ModelError` from it says why one has no form in a graph."""

    def register(function: Callable[[Builder, Operator], None]) -> Callable[[Builder, Operator], None]:
        OPERATORS.update(dict.fromkeys(kinds, function))
        return function

    return register
