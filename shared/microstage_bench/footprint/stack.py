"""How deep the stack of each public function can become: what gcc says of every function, summed along its calls."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from microstage.errors import ModelError
from microstage_bench.footprint.firmware import Build, compiled, told
from microstage_bench.generated import sources_of
from microstage_bench.tables import table

__all__ = ["CallGraph", "StackBound", "stack_bounds", "stack_table"]

_NODE = re.compile(r'^node: { title: "([^"]+)" label: "([^"]*)"', re.MULTILINE)
_EDGE = re.compile(r'^edge: { sourcename: "([^"]+)" targetname: "([^"]+)"', re.MULTILINE)
_BYTES = re.compile(r"(\d+) bytes \((static|dynamic|dynamic,bounded)\)")
_INDIRECT = "__indirect_call"
_RELOCATIONS = re.compile(r"^RELOCATION RECORDS FOR \[(\S+)\]:$(.*?)(?=^RELOC|\Z)", re.MULTILINE | re.DOTALL)
_RELOCATION = re.compile(r"^\S+\s+(R_\w+)\s+(\S+?)(?:[+-]0x[0-9a-f]+)?$", re.MULTILINE)
_A_CALL = re.compile("CALL|JUMP|JAL|BRANCH")


@dataclass(frozen=True)
class StackBound:
    """Bytes of stack: of a function's `own` frame, and of the `deepest` way through all that it calls.

    `outside` are functions of libraries on its ways, of which the compiler knows no frame: they come on top.
    """

    own: int
    deepest: int
    outside: frozenset[str] = frozenset()


@dataclass
class CallGraph:
    """{function: bytes of its frame}, {function: what it calls} and {function: what its pointers may lead to}.

    Static functions have their file's name in front. A pointer may lead to every function of the same file whose
    address is taken. On one way two pointers are followed at most, as the kernels have it: one to what walks over
    places, and one to what it does there.
    """

    frames: dict[str, int] = field(default_factory=dict)
    calls: dict[str, set[str]] = field(default_factory=dict)
    pointed: dict[str, set[str]] = field(default_factory=dict)

    def add(self, text: str, taken: Set[str] = frozenset()) -> None:
        """Take in what gcc wrote of one file (-fcallgraph-info=su), and the functions whose address it takes.

        `ModelError` for a frame without a bound.
        """
        there = {title for title, _ in _NODE.findall(text) if title.rpartition(":")[2] in taken}
        for title, label in _NODE.findall(text):
            found = _BYTES.search(label)
            if found and found[2] == "dynamic":
                raise ModelError(f"{title} takes stack by what it is given, so its stack has no bound.")
            if found:
                self.frames[title] = int(found[1])
        for caller, called in _EDGE.findall(text):
            if called == _INDIRECT:
                self.pointed[caller] = there
            else:
                self.calls.setdefault(caller, set()).add(called)

    def bounds(self) -> dict[str, StackBound]:
        """Return the bound of every function that another file can call; `ModelError` where one calls itself."""
        return {name: self._bound(name, (), 2) for name in self.frames if ":" not in name}

    def _bound(self, name: str, above: tuple[str, ...], pointers: int) -> StackBound:
        """Return the bound of a function that `above` called, with so many `pointers` followed at most."""
        if name in above:
            raise ModelError(f"The stack has no bound: {' -> '.join([*above, name])}.")
        if name not in self.frames:
            return StackBound(0, 0, frozenset([name]))
        way = (*above, name)
        inner = [self._bound(called, way, pointers) for called in self.calls.get(name, ())]
        inner += [self._bound(called, way, pointers - 1) for called in self._pointed(name, pointers)]
        outside: frozenset[str] = frozenset().union(*(bound.outside for bound in inner))
        own = self.frames[name]
        return StackBound(own, own + max((bound.deepest for bound in inner), default=0), outside)

    def _pointed(self, name: str, pointers: int) -> list[str]:
        """Return what a function's pointers may lead to; the last one leads to none that has pointers itself."""
        found = self.pointed.get(name, set())
        return [called for called in found if pointers > 1 or not self._has_pointers(called)]

    def _has_pointers(self, name: str) -> bool:
        return name in self.pointed or any(map(self._has_pointers, self.calls.get(name, ())))


def stack_bounds(folder: Path, build: Build, scratch: Path) -> dict[str, StackBound]:
    """Return the bound of every public function of the C in `folder`, as gcc compiles it for a machine."""
    graph, objects = CallGraph(), scratch / f"stack-{build.machine.name}{build.level}"
    compiled(build, sources_of(folder), [f"-I{folder}", "-fcallgraph-info=su"], objects)
    for path in sorted(objects.glob("*.ci")):
        listed = told([build.machine.tool("objdump"), "-r", str(path.with_suffix(".o"))])
        graph.add(path.read_text(), _taken(listed))
    return graph.bounds()


def _taken(listed: str) -> set[str]:
    """Return the functions that code or constants refer to otherwise than by a call, as `objdump -r` lists them."""
    found: set[str] = set()
    for section, records in _RELOCATIONS.findall(listed):
        if section.startswith((".text", ".rodata", ".data")):
            others = [symbol for kind, symbol in _RELOCATION.findall(records) if not _A_CALL.search(kind)]
            found.update(symbol.removeprefix(".text.") for symbol in others)
    return found


def stack_table(name: str, found: Mapping[Build, Mapping[str, StackBound]]) -> str:
    """Return a row for each public function: the bound of its stack in each build, then what comes on top."""
    functions = list(dict.fromkeys(function for bounds in found.values() for function in bounds))
    rows = [_row(function, [bounds.get(function) for bounds in found.values()]) for function in functions]
    return table((f"{name}: bytes of stack at most", *(b.machine.name for b in found), "beside them"), rows)


def _row(function: str, bounds: Sequence[StackBound | None]) -> tuple[str, ...]:
    outside = frozenset().union(*(bound.outside for bound in bounds if bound))
    named = sorted(name for name in outside if not name.startswith("__"))
    own = ["arithmetic of the compiler's library"] if len(named) < len(outside) else []
    return function, *(f"{bound.deepest:,}" if bound else "" for bound in bounds), ", ".join(named + own)
