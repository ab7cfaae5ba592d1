"""Write prototypes of C."""

from __future__ import annotations

from microstage_cbackend.writers.names import filled

__all__ = ["signature"]


def signature(returns: str, name: str, arguments: list[str]) -> str:
    """Return a C prototype without its semicolon, broken before 116 columns."""
    start = f"{returns} {name}("
    return "\n".join(filled(start + ", ".join(arguments) + ")", "", " " * len(start)))
