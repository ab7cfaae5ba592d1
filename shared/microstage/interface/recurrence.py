"""How the parts of a recurrent network run: `sequence` in `interface.json`.

A cell that is stepped, what feeds it, what follows.

    "sequence": {"length": 3, "encoder": "subcnn", "cell": "sublstm", "head": "submlp",
                 "steps": {"features_t": "features"}, "states": {"hidden": "hidden_next"},
                 "last": {"hidden": "hidden"}, "carried": {"sum": "sum_next", "count": "count_next"}}

docs/adding-a-model.md says what each field is. A network without it is one part, called once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from microstage.interface.fields import interface_error, read_fields

__all__ = ["Recurrence"]

Shapes = Mapping[str, tuple[int, ...]]
_LONGEST = 1 << 20  # steps


@dataclass(frozen=True)
class Recurrence:
    """Parts by role: `cell` runs `length` times from zero, `encoder` once before it, `head` once behind it.

    A network may have no encoder, and no head.

    `steps`: {input of the cell: the sequence that it is one step of}, an output of the encoder, or an input of the
    network's own. `states`: {input of the cell: the output that it takes of the step before}. `last`: {input of the
    head: the state whose last value it is}. What else encoder and head take is the network's own input.

    `carried`: {input of encoder or head: the output of either that it takes of the step before}. Where there are any,
    every part runs at every step: inputs are those of a step, the encoder gives the cell one step, and the head, which
    may take other outputs of the encoder, too, follows the cell. A single answer is the one after `length` steps; a
    stream has as many as it likes. In between, `signals.settle` has the carried states follow the gain.
    """

    length: int
    cell: str
    steps: Mapping[str, str]
    states: Mapping[str, str]
    encoder: str | None = None
    head: str | None = None
    last: Mapping[str, str] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, interface: Mapping[str, Any]) -> Recurrence | None:
        """Return what an `interface.json` says, None where it says nothing.

        `ArtefactError` for fields that are none.
        """
        return read_fields(cls, "sequence", interface)

    @classmethod
    def read(cls, interface: Mapping[str, Any]) -> Recurrence | None:
        """Return the same as `of`, checked against the parts that the interface describes."""
        found = cls.of(interface)
        if found is not None:
            parts = interface.get("parts", {}).items()
            found.check({n: (_shapes(part.get("inputs", {})), _shapes(part.get("outputs", {}))) for n, part in parts})
        return found

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that there are, in the order in which they run."""
        return tuple(part for part in (self.encoder, self.cell, self.head) if part)

    def renamed(self, parts: Mapping[str, str]) -> Recurrence:
        """Return the same where parts have other names: {old: new}."""
        return replace(
            self,
            **{
                role: parts.get(name, name)
                for role, name in asdict(self).items()
                if role in ("encoder", "cell", "head") and name
            },
        )

    def described(self) -> dict[str, Any]:
        """Return it as `interface.json` has it."""
        optional = ("encoder", "head", "last", "carried")
        return {name: value for name, value in asdict(self).items() if value or name not in optional}

    def recorded(self, part: str | None, name: str) -> str:
        """Return what golden vectors call an output of `part`.

        States of the cell go by what the next step takes them as, which is the same integers. What is carried goes by
        its own name, as it is settled first.
        """
        return {new: old for old, new in self.states.items()}.get(name, name) if part == self.cell else name

    def check(self, parts: Mapping[str, tuple[Shapes, Shapes]]) -> None:
        """Raise `ArtefactError` where {part: (inputs, outputs) with their shapes} have no such roles."""
        if not 1 <= self.length <= _LONGEST:
            raise interface_error("sequence", f"has length {self.length}; expected 1 to {_LONGEST} steps")
        if unknown := [part for part in self.parts if part not in parts]:
            raise interface_error("sequence", f"names a part {unknown[0]}; there are {', '.join(parts) or 'none'}")
        if len(set(self.parts)) < len(self.parts):
            raise interface_error("sequence", "gives one part two roles")
        self._check_cell(*parts[self.cell])
        self._check_last(parts[self.head][0] if self.head else {}, parts[self.cell][0])
        self._check_carried(parts)

    def _check_cell(self, taken: Shapes, given: Shapes) -> None:
        for name in [*taken, *self.steps, *self.states]:
            if (name in self.steps) + (name in self.states) != 1 or name not in taken:
                raise interface_error(
                    "sequence", f"must say of each input of {self.cell} whether it is a step or a state: see {name}"
                )
        for old, new in self.states.items():
            if new not in given or given[new] != taken[old]:
                raise interface_error(
                    "sequence",
                    f"says that state {old} comes from {new}, which is no output of {self.cell} of its shape",
                )

    def _check_last(self, of_head: Shapes, of_cell: Shapes) -> None:
        for name, state in self.last.items():
            if name not in of_head or state not in self.states or of_head[name] != of_cell[state]:
                raise interface_error(
                    "sequence",
                    f"says that {name} is the last {state}; expected an input of the head, and a state of its shape",
                )

    def _check_carried(self, parts: Mapping[str, tuple[Shapes, Shapes]]) -> None:
        around = [parts[part] for part in (self.encoder, self.head) if part]
        taken, given = ({name: shape for part in around for name, shape in part[side].items()} for side in (0, 1))
        for old, new in self.carried.items():
            if old not in taken or given.get(new) != taken[old]:
                raise interface_error(
                    "sequence",
                    f"says that {old} is carried from {new}; expected an input and an output of encoder or head, of one"
                    " shape",
                )


def _shapes(tensors: Mapping[str, Any]) -> Shapes:
    return {name: tuple(said.get("shape", ())) for name, said in tensors.items()}
