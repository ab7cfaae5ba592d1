"""The functions over parts: a whole inference, and recurrent parts that stream from call to call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from microstage_cbackend.program.ir import Part, Tensor
from microstage_cbackend.program.model import Model, SteppedModel
from microstage_cbackend.writers.names import Names, filled
from microstage_cbackend.writers.signatures import signature
from microstage_cbackend.writers.stepping import Stepping

if TYPE_CHECKING:
    from microstage_cbackend.writers.part_writer import PartWriter

__all__ = ["Api"]


class Api:
    """Text of `<model>_infer` and, for each recurrent part, its state, `_reset` and `_steps`; their memory lies behind
    the parts'."""

    def __init__(self, model: Model, writers: dict[str, PartWriter], parts_bytes: int) -> None:
        self.model, self.writers, self._base = model, writers, parts_bytes
        self._offsets: dict[str, int] = {}
        self.between_bytes = 0
        for part in self.cells:
            for _, new in part.states:
                self._reserve(f"{part.name}.{new}", part.outputs[part.output_names.index(new)])
        self.stepping = None
        if isinstance(model.recurrent, SteppedModel) and model.ends:
            self.stepping = Stepping(model.name, model.recurrent, self._arguments())
        for name, tensor in self._between().items():
            self._reserve(name, tensor)
        if self.stepping:
            self.stepping.offsets = self._offsets

    def _between(self) -> dict[str, Tensor]:
        """What is kept between the parts."""
        if self.stepping:
            return self.stepping.between
        encoder = self.model.recurrent.encoder if self.model.recurrent else None
        return dict(zip(encoder.output_names, encoder.outputs)) if encoder else {}

    def _reserve(self, name: str, tensor: Tensor) -> None:
        self._offsets[name] = self._base + self.between_bytes
        self.between_bytes += -(-tensor.bytes // 8) * 8

    @property
    def arena_bytes(self) -> int:
        return self._base + self.between_bytes

    @property
    def headers(self) -> list[str]:
        """Those that the functions over parts need."""
        return ["ms_settle.h"] if self.stepping and self.model.recurrent.settling.tops else []

    @property
    def cells(self) -> list[Part]:
        """Cells that are stepped by themselves."""
        return (
            [] if isinstance(self.model.recurrent, SteppedModel) else [part for part in self.model.parts if part.states]
        )

    @property
    def ends(self) -> tuple[list[Tensor], list[tuple[str, Tensor]]] | None:
        """Inputs and named outputs of `<model>_infer`; None where the parts make no whole without state."""
        return self.model.ends

    def infer_signature(self) -> str:
        inputs, outputs = self.ends
        arguments = [f"const {t.ctype} {name}[{t.size}]" for t, name in zip(inputs, self.taken)]
        arguments += [f"{t.ctype} {name}[{t.size}]" for (_, t), name in zip(outputs, self.given)]
        return signature(
            f"{self.model.name}_status", f"{self.model.name}_infer", [f"const {self.model.name}_ctx *ctx", *arguments]
        )

    @property
    def taken(self) -> list[str]:
        """What the inputs of the whole network are called in C."""
        return self._arguments()[0]

    @property
    def given(self) -> list[str]:
        """What its outputs are called."""
        return self._arguments()[1]

    def _arguments(self) -> tuple[list[str], list[str]]:
        inputs, outputs = self.ends
        return Names(self.model.name).arguments([t.name for t in inputs], [name for name, _ in outputs])

    def declarations(self) -> list[str]:
        lines: list[str] = []
        for part in self.cells:
            lines += self._state(part)
        if self.stepping:
            lines += self.stepping.declarations()
            lines += [
                "",
                f"/* {self.model.recurrent.steps} steps from zeros; the answers are those of the last. */",
                f"{self.infer_signature()};",
            ]
        elif self.ends:
            recurrent = self.model.recurrent
            parts = (
                [
                    *([recurrent.encoder.name] if recurrent.encoder else []),
                    f"{recurrent.steps} steps of {recurrent.cell.name} from zero states",
                ]
                if recurrent
                else []
            )
            what = ", ".join([*parts, recurrent.head.name]) if recurrent else "one call"
            lines += ["", f"/* The whole network: {what}. */", f"{self.infer_signature()};"]
        return lines

    def definitions(self) -> list[str]:
        lines = [line for part in self.cells for line in self._steps(part)]
        lines += self.stepping.definitions() if self.stepping else []
        if self.ends:
            whole = (
                self.stepping.infer_body
                if self.stepping
                else self._recurrent_body
                if self.model.recurrent
                else self._single_body
            )
            body = whole()
            lines += ["", self.infer_signature(), "{", *body, "}"]
        return lines

    def _state(self, part: Part) -> list[str]:
        prefix, states = f"{self.model.name}_{part.name}", dict(part.states)
        name = self.writers[part.name].name
        fields = [f"{t.ctype} {name(t)}[{t.size}];" for t in part.inputs if t.name in states]
        lines = ["", f"/* State of {part.name}, carried from call to call; zeros at the start of a sequence. */"]
        lines += [
            f"typedef struct {{ {' '.join(fields)} }} {prefix}_state;",
            f"void {prefix}_reset({prefix}_state *state);",
        ]
        lines += [
            "/* `steps` steps; arrays hold one step after another. The answer is the same however a sequence is cut "
            "into calls. */"
        ]
        return [*lines, f"{self._steps_signature(part)};"]

    def _streams(self, part: Part) -> tuple[list[Tensor], list[tuple[str, Tensor]]]:
        states = dict(part.states)
        inputs = [t for t in part.inputs if t.name not in states]
        return inputs, [(n, t) for n, t in zip(part.output_names, part.outputs) if n not in states.values()]

    def _steps_signature(self, part: Part) -> str:
        prefix, (inputs, outputs) = f"{self.model.name}_{part.name}", self._streams(part)
        name = self.writers[part.name].name
        arguments = [f"const {self.model.name}_ctx *ctx", f"{prefix}_state *state"]
        arguments += [f"const {t.ctype} *{name(t)}" for t in inputs]
        arguments += [f"{t.ctype} *{name(t)}" for _, t in outputs] + ["int32_t steps"]
        return signature(f"{self.model.name}_status", f"{prefix}_steps", arguments)

    def _steps(self, part: Part) -> list[str]:
        name, prefix, states = self.model.name, f"{self.model.name}_{part.name}", dict(part.states)
        called = self.writers[part.name].name
        held = [t for t in part.inputs if t.name in states]
        after = {new: part.outputs[part.output_names.index(new)] for new in states.values()}
        lines = ["", f"void {prefix}_reset({prefix}_state *state)", "{"]
        for t in held:
            lines += [f"    for (int32_t i = 0; i < {t.size}; i++) {{", f"        state->{called(t)}[i] = 0;", "    }"]
        lines += ["}", "", self._steps_signature(part), "{"]
        lines += ["    if (!ctx || !ctx->arena || !state) {", f"        return {name.upper()}_NULL;", "    }", ""]
        lines += ["    unsigned char *const memory = (unsigned char *)ctx->arena->words;"]
        for new, t in after.items():
            lines.append(
                f"    {t.ctype} *const {called(t)} = ({t.ctype} *)(memory + {self._offsets[f'{part.name}.{new}']});"
            )
        given = [f"state->{called(t)}" if t in held else f"{called(t)} + step * {t.size}" for t in part.inputs]
        given += [
            called(t) if n in after else f"{called(t)} + step * {t.size}"
            for n, t in zip(part.output_names, part.outputs)
        ]
        lines += ["    for (int32_t step = 0; step < steps; step++) {"]
        lines += [f"        const {name}_status status = {prefix}(ctx, {', '.join(given)});"]
        lines += [f"        if (status != {name.upper()}_OK) {{", "            return status;", "        }"]
        for t in held:
            target = f"state->{called(t)}[i]"
            value = f"{called(after[states[t.name]])}[i]"
            lines += [
                f"        for (int32_t i = 0; i < {t.size}; i++) {{",
                f"            {target} = {value};",
                "        }",
            ]
        return [*lines, "    }", f"    return {name.upper()}_OK;", "}"]

    def _recurrent_body(self) -> list[str]:
        recurrent, name = self.model.recurrent, self.model.name
        inputs, _ = self.ends
        names = Names(name)
        called = {t.name: names.fresh(own) for t, own in zip(inputs, self.taken)}
        given = [names.fresh(own) for own in self.given]
        cell = self.writers[recurrent.cell.name].name
        made = dict(zip(recurrent.encoder.output_names, recurrent.encoder.outputs)) if recurrent.encoder else {}
        lines = ["    if (!ctx || !ctx->arena) {", f"        return {name.upper()}_NULL;", "    }", ""]
        lines += ["    unsigned char *const memory = (unsigned char *)ctx->arena->words;"] if made else []
        buffers = {n: names.fresh(f"{n}_steps") for n in made}
        for n, t in made.items():
            lines.append(
                f"    {t.ctype} *const {buffers[n]} = ({t.ctype} *)(memory + {self._offsets[n]}); /* "
                f"{recurrent.steps} steps */"
            )
        lines += [
            f"    {name}_{recurrent.cell.name}_state state;",
            "",
            f"    {name}_{recurrent.cell.name}_reset(&state);",
        ]
        roles, calls = recurrent.sequence, []
        if recurrent.encoder:
            calls.append(
                (recurrent.encoder, "", [*(called[t.name] for t in recurrent.encoder.inputs), *buffers.values()])
            )
        frames = [
            buffers.get(source) or called[source] for t in recurrent.cell.inputs if (source := roles.steps.get(t.name))
        ]
        calls.append((recurrent.cell, "_steps", ["&state", *frames, str(recurrent.steps)]))
        states = {t.name: t for t in recurrent.cell.inputs}
        taken = [
            f"state.{cell(states[roles.last[t.name]])}" if t.name in roles.last else called[t.name]
            for t in recurrent.head.inputs
        ]
        calls.append((recurrent.head, "", [*taken, *given]))
        calls = [f"{name}_{part.name}{kind}(ctx, {', '.join(arguments)})" for part, kind, arguments in calls]
        lines += [f"    {name}_status status = {calls[0]};"]
        for call in calls[1:]:
            lines += [f"    if (status == {name.upper()}_OK) {{", f"        status = {call};", "    }"]
        return [*lines, "    return status;"]

    def _single_body(self) -> list[str]:
        return filled(
            f"return {self.model.name}_{self.model.parts[0].name}(ctx, {', '.join([*self.taken, *self.given])});"
        )
