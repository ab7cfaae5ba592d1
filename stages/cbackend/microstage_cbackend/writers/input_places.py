"""Write `<model>_memory`, an arena in which the inputs lie too, and a function for the place of each.

Inputs are read by the first layers and written over by later ones: they share memory with what is written then. Where
they end behind what the layers need, `<model>_memory` is that much larger; the arena alone never is.
"""

from __future__ import annotations

from collections.abc import Sequence

from microstage_cbackend.program.model import Model
from microstage_cbackend.writers.machines import Lowering, by_machine
from microstage_cbackend.writers.names import Names, filled

__all__ = ["InputPlaces", "places_of"]


def places_of(model: Model) -> dict[str, str]:
    """Return {input: the function that gives its place}.

    None may lie in an arena that also holds what is kept between parts, or what makes sound into features.
    """
    if not model.ends or model.recurrent or model.features:
        return {}
    names = [t.name for t in model.ends.inputs]
    return {name: f"{model.name}_{own}_place" for name, own in zip(names, Names(model.name).arguments(names, [])[0])}


class InputPlaces:
    """Say where the inputs of a network of one part lie in the memory that was planned for each of its `machines`."""

    def __init__(self, model: Model, machines: Sequence[Lowering]) -> None:
        self._model, self._machines, functions = model.name, machines, places_of(model)
        everywhere = all(len(machine.writers[0].plan.inputs) == len(functions) for machine in machines)
        self._functions = functions if everywhere else {}

    def _more(self, machine: Lowering) -> int:
        """Count the bytes of `<model>_memory` behind the arena."""
        ends = (buffer.offset + buffer.bytes for buffer in machine.writers[0].plan.inputs.values())
        return max(0, *(end - max(machine.arena_bytes, 8) for end in ends))

    @property
    def memory(self) -> str:
        """Return the type of the memory that holds the arena, and more where inputs need it."""
        return f"{self._model}_memory" if self._functions else f"{self._model}_arena"

    def place(self, name: str) -> str:
        """Return the function that gives the place of the input `name`; nothing where it has none."""
        return self._functions.get(name, "")

    def described(self) -> list[str]:
        """Return the lines of the README."""
        if not self._functions:
            return []
        first = next(iter(self._functions.values()))
        more = ", ".join(f"{self._more(machine) or 'no'} bytes more on {machine.name}" for machine in self._machines)
        text = (
            f"Inputs may lie in the arena: `{self._model}_memory memory;` takes, beside the arena, {more}; "
            f"`{first}(&memory)` is a place in it. Write the input there, give that pointer, and `{{ &memory.arena }}` "
            "as context; the call writes over it."
        )
        return ["", *filled(text, "", "")]

    def declarations(self) -> list[str]:
        """Return the lines of the header."""
        if not self._functions:
            return []
        name, first = self._model, next(iter(self._functions.values()))
        what = (
            f"An arena with places for inputs. `{name}_memory memory;`: write an input to {first}(&memory), run with "
            "{ &memory.arena }, hand that pointer on: a run writes over it."
        )
        lines = ["", *filled(f"{what} */", "/* ", " * ")]
        return [*lines, *by_machine(*(self._definitions(machine) for machine in self._machines))]

    def _definitions(self, machine: Lowering) -> list[str]:
        name, more = self._model, self._more(machine)
        behind = f" uint64_t more[{more // 8}];" if more else ""
        lines = [f"typedef struct {{ {name}_arena arena;{behind} }} {name}_memory;"]
        for tensor, buffer in machine.writers[0].plan.inputs.items():
            lines += ["", f"static inline {tensor.ctype} *{self.place(tensor.name)}({name}_memory *memory)", "{"]
            lines += [f"    return ({tensor.ctype} *)((unsigned char *)memory + {buffer.offset});", "}"]
        return lines
