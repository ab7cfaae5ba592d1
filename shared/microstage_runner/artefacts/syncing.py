"""What is published is on the disk: files by their own sync, names by that of the folder which holds them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["make_stage_folder", "sync", "sync_all"]


def make_stage_folder(volumes: Path, stage: str) -> None:
    """Make the folder of a stage's artefacts where it is missing; its name, and that of `volumes`, are on the disk."""
    folder = volumes / stage
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync(volumes)
        with suppress(PermissionError):  # a folder of somebody else's, which was there before
            sync(volumes.parent)


def sync_all(folder: Path) -> None:
    """Have all that lies in a folder on the disk, at every depth, with its name."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def sync(path: Path) -> None:
    """Have the bytes of a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
