"""As whom stages run in containers: the caller, but never root.

Where make runs as root it is the owner of `volumes/`, else whoever called sudo, else a user that no machine needs to
know. What such a stage wrote belongs to the owner of `volumes/` in the end (docs/adr/0021).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from microstage.errors import EnvironmentProblem

__all__ = ["NOBODY", "assert_readable", "borrowed", "lent", "of_stages"]

NOBODY = (1000, 1000)
"The user of the images themselves."
_MOST_LENT = 10000


def of_stages(volumes: Path) -> tuple[int, int]:
    """Return (uid, gid) of containers whose artefacts go to `volumes`."""
    if os.getuid():
        return os.getuid(), os.getgid()
    return next((user for user in (_owner(volumes), (_number("SUDO_UID"), _number("SUDO_GID"))) if user[0]), NOBODY)


def _number(variable: str) -> int:
    """Return the number in an environment variable; 0 where it holds none."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() else 0


@contextmanager
def lent(folders: Iterable[Path], user: tuple[int, int], volumes: Path) -> Iterator[None]:
    """`folders`, with all that is in them, belong to `user` meanwhile, and to the owner of `volumes` afterwards."""
    folders, strangers = list(folders), user[0] != os.getuid()
    if strangers:
        _give(folders, user)
    try:
        yield
    finally:
        if strangers:
            _give(folders, _owner(volumes))


@contextmanager
def borrowed(folder: Path, user: tuple[int, int]) -> Iterator[None]:
    """A folder of the caller's, with all that is in it, belongs to `user` meanwhile, and afterwards to whom it did.

    What is new in it belongs to the folder's owner. Raise `EnvironmentProblem` for one that holds too much to be lent.
    """
    if user[0] == os.getuid():
        yield
        return
    owners = {path: path.lstat() for path in (folder, *itertools.islice(folder.rglob("*"), _MOST_LENT))}
    if len(owners) > _MOST_LENT:
        raise EnvironmentProblem(
            f"{folder} holds more than {_MOST_LENT} files, and make runs as root: put the script into a folder of its"
            " own."
        )
    try:
        for path in owners:
            os.chown(path, *user, follow_symlinks=False)
        yield
    finally:
        for path in (folder, *folder.rglob("*")):
            was = owners.get(path, owners[folder])
            os.chown(path, was.st_uid, was.st_gid, follow_symlinks=False)


def assert_readable(folders: Iterable[Path], user: tuple[int, int]) -> None:
    """Raise `EnvironmentProblem` for a folder that is closed to `user`, who is not the caller; of a file the stage
    tells.
    """
    for folder in folders if user[0] != os.getuid() else ():
        found = folder.stat()
        shift = 6 if found.st_uid == user[0] else 3 if found.st_gid == user[1] else 0
        if (found.st_mode >> shift) & 0o5 != 0o5:
            raise EnvironmentProblem(
                f"{folder} cannot be read by user {user[0]}, as whom stages run in containers where make runs as root: "
                f"`chmod -R a+rX {folder}` mends it."
            )


def _owner(volumes: Path) -> tuple[int, int]:
    try:
        found = volumes.stat()
    except FileNotFoundError:  # made by this call
        return os.getuid(), os.getgid()
    return found.st_uid, found.st_gid


def _give(folders: Iterable[Path], user: tuple[int, int]) -> None:
    for folder in folders:
        folder.chmod(folder.stat().st_mode | 0o555)  # whatever the umask was: others read what is published
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, *user, follow_symlinks=False)
