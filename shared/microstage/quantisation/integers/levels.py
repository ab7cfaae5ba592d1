"""The integers that a quantiser gives, and the unit they count in."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Levels"]


@dataclass(frozen=True)
class Levels:
    """`zero` and the number of `scale`s, within `lowest` to `highest`: value = scale * (integer - zero)."""

    scale: float
    zero: int
    lowest: int
    highest: int

    @property
    def bits(self) -> int:
        """By how many bits these integers are stored."""
        return (self.highest - self.lowest).bit_length()

    @property
    def narrow(self) -> bool:
        """Whether the lowest integer of so many bits is left out."""
        return self.lowest == -self.highest

    @property
    def signed(self) -> bool:
        return self.lowest < 0
