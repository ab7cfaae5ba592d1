"""What a stage reads: a folder, and what its files held when the stage's key was made.

A folder is not handed out but by `Input.checked` and `held`, which hash every file of it first: whoever uses files uses
those that the key names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from microstage.errors import IntegrityError
from microstage.files.canonical import digest
from microstage_runner.artefacts.digests import Digests

__all__ = ["Input", "Touched", "all_files", "held", "opened"]

T = TypeVar("T")


class Touched(IntegrityError):
    """A file was written to while it was in use."""


def all_files(folder: Path, *but: str) -> list[Path]:
    """Return whatever lies in `folder` and is no folder, links to folders among them, without the files `but` at its
    top.
    """
    left_out = {folder / name for name in but}
    return [path for path in folder.rglob("*") if (path.is_symlink() or not path.is_dir()) and path not in left_out]


@dataclass(frozen=True)
class Input:
    """A folder of which `listed` {file: SHA-256} is known; `find` lists the files that make it up now.

    `what` and `mend` say in an error what happened to a file, and what to do about it.
    """

    _folder: Path
    listed: Mapping[str, str]
    find: Callable[[], Iterable[Path]]
    what: str
    mend: str

    @property
    def digest(self) -> str:
        """SHA-256 over {file: SHA-256}; what the key of a stage holds of this input."""
        return digest(self.listed)

    def checked(self, digests: Digests | None = None) -> Path:
        """Return the folder, every file of it hashed now; raise `IntegrityError` that names the first that is not as it
        was.
        """
        digests, found = digests or Digests(), {path.relative_to(self._folder).as_posix(): path for path in self.find()}
        for name in sorted(found.keys() ^ self.listed.keys()):
            raise self._wrong(name, "is missing" if name in self.listed else f"is new, and {self.what} without it")
        for name, expected in self.listed.items():
            if not found[name].is_file():
                raise self._wrong(name, "is no file")
            if digests.of(found[name]) != expected:
                raise self._wrong(name, f"was changed after {self.what}")
        return self._folder

    def _wrong(self, name: str, how: str) -> IntegrityError:
        return IntegrityError(f"{self._folder / name} {how}; {self.mend}.")


@contextmanager
def held(what: str, read: Callable[[Digests], T]) -> Iterator[T]:
    """What `read` returns, which hashes all that is used inside; `Touched` if a file of it was written to meanwhile.

    One that was put back to what it was before the end is found too: its time stamps tell.
    """
    before, after = Digests(), Digests()
    try:
        yield read(before)
    except BaseException as error:  # whatever was the matter, it was the matter with other files
        _assert_none(before.written(), what, error)
        raise
    _assert_none(before.changed(after), what)
    read(after)


def _assert_none(path: str | None, what: str, error: BaseException | None = None) -> None:
    if path:
        said = f"{path} was changed while {what}, so nothing came of it; the same command makes it anew."
        raise Touched(said) from error


@contextmanager
def opened(inputs: Mapping[str, Input], what: str) -> Iterator[dict[str, Path]]:
    """The folders of `inputs`, every file hashed now and, untouched in between, at the end."""
    with held(what, lambda digests: {name: given.checked(digests) for name, given in inputs.items()}) as folders:
        yield folders
