"""Statements of in-toto (v1) with SLSA provenance (v1): what was made, from what, by whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["statement"]

BUILDER = "urn:microstage:runner"


def statement(
    subject: Iterable[tuple[str, str]],
    kind: str,
    external: dict[str, Any],
    internal: dict[str, Any],
    dependencies: Iterable[tuple[str, str]],
) -> dict[str, Any]:
    """Return the statement on `subject`, made as `kind` says from `dependencies`, both (name, SHA-256); nothing in it
    tells the time.

    `external` is what the user chose and `internal` what follows from it. Types and builder are URIs, as SLSA wants
    them.
    """
    definition = {
        "buildType": f"urn:microstage:{kind}",
        "externalParameters": external,
        "internalParameters": internal,
        "resolvedDependencies": [{"name": name, "digest": {"sha256": value}} for name, value in dependencies],
    }
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": value}} for name, value in subject],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"buildDefinition": definition, "runDetails": {"builder": {"id": BUILDER}}},
    }
