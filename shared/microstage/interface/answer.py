"""An answer that no graph holds, `answer` in `interface.json`: the size of a mean of phasors over the steps.

    "answer": {"name": "harmonics", "sum": "sum_next", "count": "count_next", "correction": "correction", "most": 64}

docs/adding-a-model.md says what each field is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from microstage.interface.fields import interface_error, read_fields, tensors_of

__all__ = ["PhasorMean"]

_MOST = 1 << 12  # half cycles in a mean: sums stay below 2^31


@dataclass(frozen=True)
class PhasorMean:
    """An answer that no graph holds: the size of a mean of phasors, and a correction to it.

    `sum` (real parts before imaginary ones), `count` and `correction` are outputs of the graphs; the mean is sum over
    count. `name` is what the answer is called. Two of the carried states are sum and count; at a count of `most`, both
    are halved before the next step.
    """

    name: str
    sum: str
    count: str
    correction: str
    most: int

    @classmethod
    def of(cls, interface: Mapping[str, Any]) -> PhasorMean | None:
        """Return the `answer` of an `interface.json`, None where it says nothing, as `Recurrence.of` does."""
        return read_fields(cls, "answer", interface)

    @classmethod
    def read(cls, interface: Mapping[str, Any]) -> PhasorMean | None:
        """Return the same, checked against the parts that the interface describes."""
        found = cls.of(interface)
        if found is None or "parts" not in interface:
            return found
        given, carried = tensors_of(interface, "outputs"), (interface.get("sequence") or {}).get("carried", {})
        if not 2 <= found.most <= _MOST:
            raise interface_error("answer", f"has most = {found.most}; expected 2 to {_MOST}")
        if unknown := [name for name in found.outputs if name not in given]:
            raise interface_error(
                "answer", f"names {unknown[0]}, which is none of the outputs: {', '.join(sorted(given))}"
            )
        if still := [name for name in (found.sum, found.count) if name not in carried.values()]:
            raise interface_error("answer", f"names {still[0]}, which is not carried from step to step")
        if found.name in given:
            raise interface_error("answer", f"is called {found.name}, which is an output of the graphs already")
        return found

    @property
    def outputs(self) -> tuple[str, str, str]:
        """The outputs of the graphs that it is made of."""
        return self.sum, self.count, self.correction

    def described(self) -> dict[str, Any]:
        """Return it as `interface.json` has it."""
        return asdict(self)
