"""Tell what a network takes of the machines that it runs on: small ones have functions of their own (docs/adr/0042)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.writers.constants import Packed
from microstage_cbackend.writers.part_writer import PartWriter

__all__ = ["SMALL_MACHINE", "Lowering", "by_machine", "constants_of", "parts_bytes"]

SMALL_MACHINE = "MS_SMALL_MACHINE"
"The macro of ms_machine.h that says which machine it is."


@dataclass
class Lowering:
    """Hold the functions of parts that some machines run: `name`, as texts call those machines.

    Behind what a part needs, `kept_bytes` are kept from part to part; `least` bytes something else needs.
    """

    name: str
    writers: Sequence[PartWriter]
    kept_bytes: int
    least: int = 0

    @property
    def arena_bytes(self) -> int:
        """Count the bytes of working memory that the caller gives."""
        return max(parts_bytes(self.writers) + self.kept_bytes, self.least)

    @property
    def arena_bound(self) -> int:
        """Count the bytes that the busiest layer and what is kept between parts need at least."""
        return max(max(w.plan.bound for w in self.writers) + self.kept_bytes, self.least)

    @property
    def constants(self) -> dict[str, Tensor | Packed]:
        """Return the constants that the parts refer to, by name."""
        return constants_of(self.writers)

    @property
    def constant_bytes(self) -> int:
        """Count the bytes of all constants, of those in several orders once."""
        return sum(constant.bytes for constant in self.constants.values())

    @property
    def headers(self) -> list[str]:
        """Return the headers of the specialised kernels that are used."""
        return sorted({header for writer in self.writers for header in writer.headers})


def constants_of(writers: Sequence[PartWriter]) -> dict[str, Tensor | Packed]:
    """Return the constants that the parts refer to, by name."""
    return {name: constant for writer in writers for name, constant in writer.constants.by_name.items()}


def parts_bytes(writers: Sequence[PartWriter]) -> int:
    """Count the bytes of working memory, a multiple of 8, that any of the parts needs."""
    return max((-(-writer.plan.size // 8) * 8 for writer in writers), default=0)


def by_machine(others: list[str], small: list[str] | None = None) -> list[str]:
    """Return lines of which the compiler takes those for its machine; None of small ones: the same as others."""
    if small is None or small == others:
        return others
    return [f"#if {SMALL_MACHINE}", *small, "#else", *others, "#endif"] if small else _unless_small(others)


def _unless_small(lines: list[str]) -> list[str]:
    return [f"#if !{SMALL_MACHINE}", *lines, "#endif"]
