"""Where all of it comes from, and the command that makes it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["provenance"]


def provenance(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rows of keys and digests, and the command, or ""."""
    return {"rows": facts["provenance"].get("rows") or [], "command": facts.get("command") or ""}
