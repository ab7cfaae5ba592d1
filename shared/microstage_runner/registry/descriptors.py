"""Descriptors of files, as manifests of the OCI image specification list them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from microstage.files.canonical import file_digest

__all__ = ["MANIFEST_TYPE", "describe"]

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def describe(path: Path, media_type: str, **annotations: str) -> dict[str, Any]:
    """Return the descriptor of a file: media type, digest, size."""
    described = {"mediaType": media_type, "digest": f"sha256:{file_digest(path)}", "size": path.stat().st_size}
    return {**described, "annotations": annotations} if annotations else described
