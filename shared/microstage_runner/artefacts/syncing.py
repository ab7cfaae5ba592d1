"""What is published is on the disk: files by their own sync, names by that of the folder which holds them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["make_folder", "sync", "sync_all"]


def make_folder(folder: Path) -> None:
    """Make a folder, and those around it, where they are missing; their names are on the disk on return."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


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
