"""Write the programs of a model: what a caller can ask for, as runs of parts and what happens between them.

Behind the memory of the parts the arena holds what they hand to one another, then the state, then, where states settle
between two steps, the settled ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from microstage_cbackend.network_file.format.numbers import CALLS, CTYPES, PROGRAMS
from microstage_cbackend.network_file.writing.contents import Contents
from microstage_cbackend.network_file.writing.faces import add_face
from microstage_cbackend.program.ir import Part, Tensor
from microstage_cbackend.program.model import Model

__all__ = ["ProgramEnd", "BytePlace", "ProgramRecords"]


@dataclass(frozen=True)
class BytePlace:
    """Point at `bytes` of the arena (base 0) or of an input or output; `advance` further at every turn of a repeat."""

    base: int
    offset: int
    bytes: int
    advance: int = 0


@dataclass(frozen=True)
class ProgramEnd:
    """Describe an input or output of a program: a tensor, and over how many steps."""

    name: str
    tensor: Tensor
    steps: int = 1


class ProgramRecords:
    """Write programs into `contents`; `numbers`: parts by name. `arena_bytes` grows with what is `kept`."""

    def __init__(self, contents: Contents, model: Model, numbers: Mapping[str, int], parts_bytes: int) -> None:
        self._contents, self._model, self._numbers = contents, model, numbers
        self._facts: dict[str, dict[str, Any]] = model.facts_of_ends()
        self.arena_bytes = parts_bytes

    def kept(self, tensors: Mapping[str, Tensor]) -> dict[str, BytePlace]:
        """Return new places in the arena, that no part uses."""
        found = {}
        for name, tensor in tensors.items():
            found[name] = BytePlace(0, self.arena_bytes, tensor.bytes)
            self.arena_bytes += -(-tensor.bytes // 8) * 8
        return found

    @staticmethod
    def places(
        inputs: Sequence[ProgramEnd], outputs: Sequence[ProgramEnd]
    ) -> tuple[dict[str, BytePlace], dict[str, BytePlace]]:
        """Return the places of the inputs and of the outputs of a program; of a sequence, those of a step."""
        found = [
            {
                end.name: BytePlace(number, 0, each, each if end.steps > 1 else 0)
                for number, end in enumerate(ends, first)
                for each in [end.tensor.bytes // end.steps]
            }
            for first, ends in ((1, inputs), (1 + len(inputs), outputs))
        ]
        return found[0], found[1]

    def call(
        self,
        kind: str,
        places: Sequence[BytePlace],
        types: Sequence[Tensor] = (),
        subject: int = 0,
        count: int = 0,
        most: int = 0,
    ) -> None:
        """Write a call; `types`: tensors of the type that is read and of the one that is written."""
        first = len(self._contents.rows["ARGS"])
        for place in places:
            self._contents.add("ARGS", base=place.base, offset=place.offset, advance=place.advance, bytes=place.bytes)
        said = [CTYPES[t.ctype] for t in types] or [0, 0]
        self._contents.add(
            "CALL",
            kind=CALLS[kind][0],
            from_type=said[0],
            to_type=said[1],
            first_argument=first,
            arguments=len(places),
            subject=subject,
            count=count,
            most=most,
        )

    def run(self, part: Part, inputs: Sequence[BytePlace], outputs: Sequence[BytePlace]) -> None:
        """Write the call of a part."""
        self.call("run", [*inputs, *outputs], subject=self._numbers[part.name])

    @contextmanager
    def repeated(self, count: int) -> Iterator[None]:
        """Write a call that makes those which are written inside happen `count` times over."""
        number = self.calls
        self.call("repeat", [], count=count)
        yield
        self._contents.rows["CALL"].change(number, subject=self.calls - number - 1)

    def program(
        self, kind: str, name: str, inputs: Sequence[ProgramEnd], outputs: Sequence[ProgramEnd], calls: tuple[int, int]
    ) -> None:
        """Write a program of the calls from the first of `calls` to before the last."""
        faces = [self._face(self._taken(end)) for end in inputs] + [self._face(end) for end in outputs]
        self._contents.add(
            "PROG",
            kind=PROGRAMS[kind],
            name=self._contents.names.at(name),
            first_face=faces[0] if faces else 0,
            inputs=len(inputs),
            outputs=len(outputs),
            first_call=calls[0],
            calls=calls[1] - calls[0],
        )

    def _taken(self, end: ProgramEnd) -> ProgramEnd:
        """Return the input with the range that all parts take which read it."""
        read = [t for part in self._model.parts for t in part.inputs if t.name == end.name]
        low, high = (of(getattr(t, side) for t in (end.tensor, *read)) for side, of in (("low", max), ("high", min)))
        return replace(end, tensor=replace(end.tensor, low=low, high=high))

    def _face(self, end: ProgramEnd) -> int:
        gain = self._model.gain
        multiples = gain is not None and end.name in (gain.window, *gain.outputs)
        return add_face(self._contents, end.name, end.tensor, self._facts.get(end.name, {}), multiples, end.steps)

    @property
    def calls(self) -> int:
        """Count the calls that are written."""
        return len(self._contents.rows["CALL"])
