"""What the parts of a network do in it, as `interface.json` says: a cell that is stepped over a sequence, a gain per
window, and a mean that answers. (Features of sound have a module of their own, cepstra.py.)

    "sequence": {"length": 3, "encoder": "subcnn", "cell": "sublstm", "head": "submlp",
                 "steps": {"features_t": "features"}, "states": {"hidden": "hidden_next"},
                 "last": {"hidden": "hidden"}, "carried": {"sum": "sum_next", "count": "count_next"}},
    "gain": {"inputs": {"window": "waveform"}, "outputs": {"harmonics": "amplitudes"}, "exponents": [-60, 60],
             "scaled": ["sum"]},
    "answer": {"name": "harmonics", "sum": "sum_next", "count": "count_next", "correction": "correction", "most": 64}

docs/adding-a-model.md says what each field is. A network without them is one part, called once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from microstage.errors import ArtefactError

__all__ = ["EXPONENT", "Gain", "Mean", "Sequence", "made", "wrong"]

EXPONENT = "gain_exponent"  # in golden vectors: what the integers of a window with a gain are multiples of

Shapes = Mapping[str, tuple[int, ...]]
_OF_NAMES = {"Mapping[str, str]": "names by name", "tuple[str, ...]": "names"}
_LONGEST, _LOWEST, _HIGHEST = 1 << 20, -100, 100  # steps; exponents that leave float32 room for answers
_HIGHEST_CYCLE = 1 << 10  # samples
_MOST = 1 << 12  # half cycles in a mean: sums stay below 2^31


@dataclass(frozen=True)
class Sequence:
    """Parts by role. `cell` runs `length` times, from states of zero; `encoder` once before it and `head` once behind,
    where they are.

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
    def of(cls, interface: Mapping[str, Any]) -> Sequence | None:
        """What an `interface.json` says, None where it says nothing; `ArtefactError` for fields that are none."""
        return made(cls, "sequence", interface)

    @classmethod
    def read(cls, interface: Mapping[str, Any]) -> Sequence | None:
        """As `of`, checked against the parts that the interface describes."""
        found = cls.of(interface)
        if found is not None:
            described = interface.get("parts", {})
            found.check(
                {
                    name: tuple(_shapes(part.get(side, {})) for side in ("inputs", "outputs"))
                    for name, part in described.items()
                }
            )
        return found

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that there are, in the order in which they run."""
        return tuple(part for part in (self.encoder, self.cell, self.head) if part)

    def renamed(self, parts: Mapping[str, str]) -> Sequence:
        """The same where parts have other names: {old: new}."""
        return replace(
            self,
            **{
                role: parts.get(name, name)
                for role, name in asdict(self).items()
                if role in ("encoder", "cell", "head") and name
            },
        )

    def described(self) -> dict[str, Any]:
        """As `interface.json` has it."""
        optional = ("encoder", "head", "last", "carried")
        return {name: value for name, value in asdict(self).items() if value or name not in optional}

    def recorded(self, part: str | None, name: str) -> str:
        """What golden vectors call an output of `part`: states of the cell by what the next step takes them as, which is
        the same integers; what is carried by its own name, for it is settled first."""
        return {new: old for old, new in self.states.items()}.get(name, name) if part == self.cell else name

    def check(self, parts: Mapping[str, tuple[Shapes, Shapes]]) -> None:
        """`ArtefactError` where {part: (inputs, outputs) with their shapes} have no such roles."""
        if not 1 <= self.length <= _LONGEST:
            raise wrong("sequence", f"has length {self.length}; expected 1 to {_LONGEST} steps")
        if unknown := [part for part in self.parts if part not in parts]:
            raise wrong("sequence", f"names a part {unknown[0]}; there are {', '.join(parts) or 'none'}")
        if len(set(self.parts)) < len(self.parts):
            raise wrong("sequence", "gives one part two roles")
        taken, given = parts[self.cell]
        for name in [*taken, *self.steps, *self.states]:
            if (name in self.steps) + (name in self.states) != 1 or name not in taken:
                raise wrong(
                    "sequence", f"must say of each input of {self.cell} whether it is a step or a state: see {name}"
                )
        for old, new in self.states.items():
            if new not in given or given[new] != taken[old]:
                raise wrong(
                    "sequence",
                    f"says that state {old} comes from {new}, which is no output of {self.cell} of its shape",
                )
        for name, state in self.last.items():
            if (
                self.head is None
                or name not in parts[self.head][0]
                or state not in self.states
                or parts[self.head][0][name] != taken[state]
            ):
                raise wrong(
                    "sequence",
                    f"says that {name} is the last {state}; expected an input of the head, and a state of its shape",
                )
        self._check_carried(parts)

    def _check_carried(self, parts: Mapping[str, tuple[Shapes, Shapes]]) -> None:
        around = [parts[part] for part in (self.encoder, self.head) if part]
        taken, given = ({name: shape for part in around for name, shape in part[side].items()} for side in (0, 1))
        for old, new in self.carried.items():
            if old not in taken or given.get(new) != taken[old]:
                raise wrong(
                    "sequence",
                    f"says that {old} is carried from {new}; expected an input and an output of encoder or head, of one"
                    " shape",
                )


@dataclass(frozen=True)
class Gain:
    """A power of two that one window is divided by and the answers are multiplied by: the smallest from 2^low to
    2^high, `exponents`, that no sample exceeds; a window beyond 2^high has no answer. `inputs` and `outputs`: {tensor
    of the graphs, or the answer that a `Mean` makes of them: what it is called in real numbers}. `scaled`: carried
    states that are multiples of the gain, too: phasors of odd harmonics, which change sign from one half cycle, a step,
    to the next. `samples_per_cycle`: of the mains, that the waveform has; 0 where it is no such waveform."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    exponents: tuple[int, int]
    scaled: tuple[str, ...] = ()
    samples_per_cycle: int = 0

    @classmethod
    def read(cls, interface: Mapping[str, Any]) -> Gain | None:
        """As `Sequence.read`."""
        found = made(cls, "gain", interface)
        if found is None:
            return None
        ends = list(found.exponents)
        if len(ends) != 2 or not all(type(e) is int for e in ends) or not _LOWEST <= ends[0] <= ends[1] <= _HIGHEST:
            raise wrong(
                "gain", f"has exponents {ends}; expected the lowest and the highest, from {_LOWEST} to {_HIGHEST}"
            )
        if len(found.inputs) != 1 or not found.outputs:
            raise wrong(
                "gain",
                f"has {len(found.inputs)} inputs and {len(found.outputs)} outputs; expected one window, and an answer",
            )
        if found.samples_per_cycle and (
            not 4 <= found.samples_per_cycle <= _HIGHEST_CYCLE or found.samples_per_cycle % 4
        ):
            raise wrong(
                "gain",
                f"has {found.samples_per_cycle} samples a cycle; expected 4 to {_HIGHEST_CYCLE}, in fours, or none",
            )
        mean = Mean.of(interface)
        for side in ("inputs", "outputs") if "parts" in interface else ():
            there = set(_tensors(interface, side)) | ({mean.name} if side == "outputs" and mean else set())
            if unknown := [name for name in getattr(found, side) if name not in there]:
                raise wrong("gain", f"names {unknown[0]}, which is none of the {side}: {', '.join(sorted(there))}")
        carried = (interface.get("sequence") or {}).get("carried", {})
        if foreign := [name for name in found.scaled if "sequence" in interface and name not in carried]:
            raise wrong("gain", f"scales {foreign[0]}, which is none of the carried states: {', '.join(carried)}")
        return replace(found, exponents=tuple(ends), scaled=tuple(found.scaled))

    @property
    def window(self) -> str:
        """The input that has it."""
        return next(iter(self.inputs))

    def described(self) -> dict[str, Any]:
        """As `interface.json` has it."""
        said = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in said.items() if value or name not in ("scaled", "samples_per_cycle")}


@dataclass(frozen=True)
class Mean:
    """An answer that no graph holds: the size of a mean of phasors, `sum` (real parts before imaginary ones) over
    `count`, and a `correction` to it, outputs of the graphs. `name` is what it is called. Two of the carried states are sum and count; at a count
    of `most`, both are halved before the next step."""

    name: str
    sum: str
    count: str
    correction: str
    most: int

    @classmethod
    def of(cls, interface: Mapping[str, Any]) -> Mean | None:
        """As `Sequence.of`."""
        return made(cls, "answer", interface)

    @classmethod
    def read(cls, interface: Mapping[str, Any]) -> Mean | None:
        """As `Sequence.read`."""
        found = cls.of(interface)
        if found is None or "parts" not in interface:
            return found
        given, carried = _tensors(interface, "outputs"), (interface.get("sequence") or {}).get("carried", {})
        if not 2 <= found.most <= _MOST:
            raise wrong("answer", f"has most = {found.most}; expected 2 to {_MOST}")
        if unknown := [name for name in found.outputs if name not in given]:
            raise wrong("answer", f"names {unknown[0]}, which is none of the outputs: {', '.join(sorted(given))}")
        if still := [name for name in (found.sum, found.count) if name not in carried.values()]:
            raise wrong("answer", f"names {still[0]}, which is not carried from step to step")
        if found.name in given:
            raise wrong("answer", f"is called {found.name}, which is an output of the graphs already")
        return found

    @property
    def outputs(self) -> tuple[str, str, str]:
        """The outputs of the graphs that it is made of."""
        return self.sum, self.count, self.correction

    def described(self) -> dict[str, Any]:
        """As `interface.json` has it."""
        return asdict(self)


def _tensors(interface: Mapping[str, Any], side: str) -> dict[str, Any]:
    return {name: said for part in interface["parts"].values() for name, said in part.get(side, {}).items()}


def _shapes(tensors: Mapping[str, Any]) -> Shapes:
    return {name: tuple(said.get("shape", ())) for name, said in tensors.items()}


def made(cls: type, key: str, interface: Mapping[str, Any]) -> Any:
    """An object of `cls` from the fields under `key`, each of the kind that it is declared as."""
    given = interface.get(key)
    if given is None:
        return None
    if not isinstance(given, dict):
        raise wrong(key, "is no object")
    known = {f.name: str(f.type) for f in fields(cls)}
    if foreign := [name for name in given if name not in known]:
        raise wrong(key, f"has a field {foreign[0]}; expected some of {', '.join(known)}")
    kinds = {"int": int, "float": float, "str": str, "str | None": str}
    kinds |= {"Mapping[str, str]": dict, "tuple[int, int]": list, "tuple[str, ...]": list}
    given = {name: float(v) if known[name] == "float" and type(v) is int else v for name, v in given.items()}
    for name, value in given.items():
        if (
            type(value) is not kinds[known[name]]
            or known[name] in _OF_NAMES
            and not all(isinstance(v, str) for v in (value.values() if isinstance(value, dict) else value))
        ):
            raise wrong(key, f"has {name} = {value!r}; expected {_OF_NAMES.get(known[name], known[name])}")
    try:
        return cls(**given)
    except TypeError:
        missing = next(f.name for f in fields(cls) if f.name not in given)
        raise wrong(key, f"has no {missing}") from None


def wrong(key: str, what: str) -> ArtefactError:
    """What is the matter with a role, in a sentence."""
    return ArtefactError(f"The {key} of the interface {what}.")
