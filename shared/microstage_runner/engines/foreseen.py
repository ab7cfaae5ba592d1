"""What is known of a stage's environment before it is made: what keys hold of it, and what has to be made first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Foreseen"]


@dataclass(frozen=True)
class Foreseen:
    """`platform` as `Backend.platform` has it, empty where only the environment itself can tell.

    `lacking` names the environment or image if it has to be made first; "" if it is there.
    """

    platform: Mapping[str, str]
    lacking: str = ""
