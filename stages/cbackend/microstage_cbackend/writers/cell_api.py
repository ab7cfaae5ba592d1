"""Write the functions that stream a recurrent cell: its state, `_reset` and `_steps`."""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.program.ir import Part, Tensor
from microstage_cbackend.writers.part_writer import PartWriter
from microstage_cbackend.writers.signatures import signature

__all__ = ["CellApi"]


class CellApi:
    """Write the functions of one cell that is stepped by itself, of `network`."""

    def __init__(self, network: str, part: Part, writer: PartWriter) -> None:
        self.network, self.part, self._variable = network, part, writer.name
        self.prefix, self._states = writer.function, dict(part.states)
        outputs = dict(zip(part.output_names, part.outputs))
        self.after = {new: outputs[new] for new in self._states.values()}
        "New states by name, which lie in the arena until the step is done."

    def field(self, state: str) -> str:
        """Return the member of the state's structure that holds input `state` of the cell."""
        return self._variable(next(t for t in self.part.inputs if t.name == state))

    @property
    def _held(self) -> list[Tensor]:
        """Return the inputs that are states."""
        return [t for t in self.part.inputs if t.name in self._states]

    def declarations(self) -> list[str]:
        """Return the lines of the header."""
        fields = " ".join(f"{t.ctype} {self._variable(t)}[{t.size}];" for t in self._held)
        return [
            "",
            f"/* State of {self.part.name}, carried from call to call; zeros at the start of a sequence. */",
            f"typedef struct {{ {fields} }} {self.prefix}_state;",
            f"void {self.prefix}_reset({self.prefix}_state *state);",
            "/* `steps` steps; arrays hold one step after another. The answer is the same however a sequence is cut "
            "into calls. */",
            f"{self._signature()};",
        ]

    def _signature(self) -> str:
        """Return the prototype of `_steps`."""
        inputs = [t for t in self.part.inputs if t.name not in self._states]
        outputs = [t for n, t in zip(self.part.output_names, self.part.outputs) if n not in self.after]
        arguments = [f"const {self.network}_ctx *ctx", f"{self.prefix}_state *state"]
        arguments += [f"const {t.ctype} *{self._variable(t)}" for t in inputs]
        arguments += [f"{t.ctype} *{self._variable(t)}" for t in outputs] + ["int32_t steps"]
        return signature(f"{self.network}_status", f"{self.prefix}_steps", arguments)

    def definitions(self, offsets: Mapping[str, str]) -> list[str]:
        """Return the lines of both functions; `offsets` in the arena by names of new states."""
        return [*self._reset(), *self._steps(offsets)]

    def _reset(self) -> list[str]:
        lines = ["", f"void {self.prefix}_reset({self.prefix}_state *state)", "{"]
        for t in self._held:
            lines += [f"    for (int32_t i = 0; i < {t.size}; i++) {{"]
            lines += [f"        state->{self._variable(t)}[i] = 0;", "    }"]
        return [*lines, "}"]

    def _steps(self, offsets: Mapping[str, str]) -> list[str]:
        upper = self.network.upper()
        lines = ["", self._signature(), "{"]
        lines += ["    if (!ctx || !ctx->arena || !state) {", f"        return {upper}_NULL;", "    }", ""]
        lines += ["    unsigned char *const memory = (unsigned char *)ctx->arena->words;"]
        for new, t in self.after.items():
            lines.append(f"    {t.ctype} *const {self._variable(t)} = ({t.ctype} *)(void *)(memory + {offsets[new]});")
        lines += ["    for (int32_t step = 0; step < steps; step++) {"]
        lines += [f"        const {self.network}_status status = {self.prefix}(ctx, {', '.join(self._given())});"]
        lines += [f"        if (status != {upper}_OK) {{", "            return status;", "        }"]
        return [*lines, *self._keep(), "    }", f"    return {upper}_OK;", "}"]

    def _given(self) -> list[str]:
        """Return what each step hands to the function of the part."""
        inputs = [self._place(t, t.name in self._states, "state->") for t in self.part.inputs]
        outputs = [self._place(t, n in self.after, "") for n, t in zip(self.part.output_names, self.part.outputs)]
        return [*inputs, *outputs]

    def _place(self, t: Tensor, kept: bool, where: str) -> str:
        """Return where one step's `t` lies: among all steps, or, where it is `kept` within a step, by itself."""
        name = self._variable(t)
        return f"{where}{name}" if kept else f"{name} + step * {t.size}"

    def _keep(self) -> list[str]:
        """Return the lines that make new states the states."""
        lines: list[str] = []
        for t in self._held:
            new = self._variable(self.after[self._states[t.name]])
            lines += [f"        for (int32_t i = 0; i < {t.size}; i++) {{"]
            lines += [f"            state->{self._variable(t)}[i] = {new}[i];", "        }"]
        return lines
