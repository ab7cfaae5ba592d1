"""Numbers as a reader takes them in: thousands apart, four digits of a fraction."""

from __future__ import annotations

from typing import Any

__all__ = ["is_number", "number", "rounded"]


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: Any) -> str:
    """Return a value as text: 5,412,331, 0.9134, 31.25; what is no number as it is, and what is not known as a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.5g}" if abs(value) >= 1_000 else f"{value:.4g}"
    return f"{value:,.0f}" if is_number(value) else str(value)


def rounded(value: Any) -> Any:
    """Return a number with as many digits as a picture shows."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
