"""The gain of a window, `gain` in `interface.json`: a power of two that its samples are divided by.

    "gain": {"inputs": {"window": "waveform"}, "outputs": {"harmonics": "amplitudes"}, "exponents": [-60, 60],
             "scaled": ["sum"]}

docs/adding-a-model.md says what each field is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from microstage.interface.answer import PhasorMean
from microstage.interface.fields import interface_error, read_fields, tensors_of

__all__ = ["EXPONENT", "Gain"]

EXPONENT = "gain_exponent"  # in golden vectors: what the integers of a window with a gain are multiples of

_LOWEST, _HIGHEST = -100, 100  # exponents that leave float32 room for answers
_HIGHEST_CYCLE = 1 << 10  # samples


@dataclass(frozen=True)
class Gain:
    """A power of two that one window is divided by and the answers are multiplied by.

    It is the smallest from 2^low to 2^high, `exponents`, that no sample exceeds; a window beyond 2^high has no answer.

    `inputs` and `outputs`: {tensor of the graphs, or the answer that a `PhasorMean` makes of them: what it is called in
    real numbers}. `scaled`: carried states that are multiples of the gain, too: phasors of odd harmonics, which change
    sign from one half cycle, a step, to the next. `samples_per_cycle`: of the mains, that the waveform has; 0 where it
    is no such waveform.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    exponents: tuple[int, int]
    scaled: tuple[str, ...] = ()
    samples_per_cycle: int = 0

    @classmethod
    def read(cls, interface: Mapping[str, Any]) -> Gain | None:
        """Return the `gain` of an `interface.json`, None where it says nothing, as `Recurrence.read` does."""
        found = read_fields(cls, "gain", interface)
        if found is None:
            return None
        gain = replace(found, exponents=tuple(found.exponents), scaled=tuple(found.scaled))
        gain._check()
        gain._check_names(interface)
        return gain

    def _check(self) -> None:
        ends = list(self.exponents)
        if len(ends) != 2 or not all(type(e) is int for e in ends) or not _LOWEST <= ends[0] <= ends[1] <= _HIGHEST:
            raise interface_error(
                "gain", f"has exponents {ends}; expected the lowest and the highest, from {_LOWEST} to {_HIGHEST}"
            )
        if len(self.inputs) != 1 or not self.outputs:
            raise interface_error(
                "gain",
                f"has {len(self.inputs)} inputs and {len(self.outputs)} outputs; expected one window, and an answer",
            )
        cycle = self.samples_per_cycle
        if cycle and (not 4 <= cycle <= _HIGHEST_CYCLE or cycle % 4):
            raise interface_error(
                "gain", f"has {cycle} samples a cycle; expected 4 to {_HIGHEST_CYCLE}, in fours, or none"
            )

    def _check_names(self, interface: Mapping[str, Any]) -> None:
        """Raise `ArtefactError` for a name that is no tensor of the `interface`, as far as that has any."""
        mean = PhasorMean.of(interface)
        for side in ("inputs", "outputs") if "parts" in interface else ():
            there = set(tensors_of(interface, side)) | ({mean.name} if side == "outputs" and mean else set())
            if unknown := [name for name in getattr(self, side) if name not in there]:
                raise interface_error(
                    "gain", f"names {unknown[0]}, which is none of the {side}: {', '.join(sorted(there))}"
                )
        carried = (interface.get("sequence") or {}).get("carried", {})
        if foreign := [name for name in self.scaled if "sequence" in interface and name not in carried]:
            raise interface_error(
                "gain", f"scales {foreign[0]}, which is none of the carried states: {', '.join(carried)}"
            )

    @property
    def window(self) -> str:
        """The input that has it."""
        return next(iter(self.inputs))

    def described(self) -> dict[str, Any]:
        """Return it as `interface.json` has it."""
        said = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {name: value for name, value in said.items() if value or name not in ("scaled", "samples_per_cycle")}
