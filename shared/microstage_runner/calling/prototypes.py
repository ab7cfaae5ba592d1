"""The functions that written C declares, read from its own headers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CArgument", "network_of", "prototypes"]

_ARGUMENT = re.compile(r"(?P<const>const )?(?P<type>\w+) (?P<star>\*)?(?P<name>\w+)(?:\[(?P<count>\d+)\])?$")


@dataclass(frozen=True)
class CArgument:
    """One argument: `type` as in C; `count` values of an array, 0 where it is one value or one structure."""

    name: str
    type: str
    count: int
    given: bool

    @property
    def dtype(self) -> str:
        """What NumPy calls its type."""
        return "float32" if self.type == "float" else self.type.removesuffix("_t")


def network_of(folder: Path) -> str:
    """Return what the functions and files of the C in `folder` are called."""
    return next(folder.glob("*_weights.h")).name.removesuffix("_weights.h")


def prototypes(folder: Path) -> dict[str, list[CArgument]]:
    """Return {function, without the network's name: its arguments behind the context}, as the headers declare them."""
    network, found = network_of(folder), {}
    for header in (folder / f"{network}.h", folder / f"{network}_float.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL) if header.is_file() else ""
        for name, arguments in re.findall(rf"{network}_status\s+{network}_(\w+)\(([^)]*)\);", text):
            found[name] = [_argument(" ".join(one.split())) for one in arguments.split(",")[1:]]
    return found


def _argument(text: str) -> CArgument:
    found = _ARGUMENT.match(text)
    assert found, text
    return CArgument(
        found["name"],
        found["type"],
        int(found["count"] or 0),
        bool(found["const"]) or not (found["count"] or found["star"]),
    )
