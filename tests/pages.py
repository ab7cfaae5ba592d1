"""What the pages of this repository tell a reader to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from places import REPOSITORY

__all__ = ["Command", "commands", "pages", "python_blocks"]

_PROGRAMS = ("make", "microstage", "microstage-run")
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^(?: {4}.*|[ \t]*)\n)+", re.MULTILINE)
_INLINE = re.compile(r"`([^`]+)`")
_BEGINS = re.compile(rf"(?:^|&&|\||;|\$\()\s*(?:[A-Z_]+=\S+ )*({'|'.join(_PROGRAMS)}) +", re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A command of a page: its program, the words behind it, and whether it stands on a line of its own."""

    page: str
    program: str
    words: tuple[str, ...]
    whole: bool

    @property
    def targets(self) -> list[str]:
        """Words that are neither an option nor NAME=VALUE."""
        return [word for word in self.words if "=" not in word and not word.startswith("-")]

    @property
    def variables(self) -> dict[str, str]:
        return dict(word.split("=", 1) for word in self.words if "=" in word and not word.startswith("-"))

    @property
    def is_complete(self) -> bool:
        """Whether it may be typed as it stands there: what names a target alone, or a variable alone, is a name."""
        return self.whole or bool(self.variables) and all(self.variables.values())

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join([self.program, *self.words])}"


def pages() -> list[str]:
    """Return every page, by its path from the root."""
    patterns = ("*.md", "docs/**/*.md", "stages/*/README.md", "volumes/*.md")
    return sorted(path.relative_to(REPOSITORY).as_posix() for pattern in patterns for path in REPOSITORY.glob(pattern))


def commands(page: str) -> Iterator[Command]:
    """Yield every command of a page: in fenced and indented blocks, and within the text."""
    text = (REPOSITORY / page).read_text()
    blocks = [body for kind, body in _FENCED.findall(text) if kind in ("", "bash")]
    text = _FENCED.sub("", text)
    blocks += [re.sub("^ {4}", "", block, flags=re.MULTILINE) for block in _INDENTED.findall(text)]
    for block in blocks:
        yield from _typed(page, re.sub(r"\\\n", "", block), whole=True)
    for inline in _INLINE.findall(_INDENTED.sub("\n", text)):
        yield from _typed(page, " ".join(inline.split()), whole=False)


def python_blocks(page: str) -> list[str]:
    """Return the Python files that a page shows."""
    return [body for kind, body in _FENCED.findall((REPOSITORY / page).read_text()) if kind == "python"]


def _typed(page: str, code: str, whole: bool) -> Iterator[Command]:
    """Yield the commands of some code; what begins like one, and is a line that a program printed, is none."""
    for found in _BEGINS.finditer(code):
        rest = re.split(r"\n|&&|\||;|\)|>(?!\w)", code[found.end() :])[0]
        words = shlex.split(rest, comments=True)
        if words and not words[0].endswith(":"):
            yield Command(page, found[1], tuple(words), whole)
