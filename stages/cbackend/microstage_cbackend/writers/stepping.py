"""Write the functions of a network whose parts all run at every step: its state, a step, an answer of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from microstage_cbackend.program.ir import Part, Tensor, bits_of
from microstage_cbackend.program.stepped import SteppedModel
from microstage_cbackend.writers.infer_api import InferApi, one_after_another
from microstage_cbackend.writers.names import Names
from microstage_cbackend.writers.signatures import signature

__all__ = ["Stepping"]

_EXPONENT = "exponent"


def struct_bytes(fields: Iterable[tuple[int, int]]) -> int:
    """Count the bytes of a structure of fields (alignment, bytes) in this order."""
    end, widest = 0, 1
    for alignment, size in fields:
        end, widest = -(-end // alignment) * alignment + size, max(widest, alignment)
    return -(-end // widest) * widest


class Stepping:
    """Write `<model>_state`, `_state_reset`, `_infer_step` and the body of `_infer`.

    `fields`: members of the state by the names of what is carried; `between`: what parts hand to one another in a step.
    """

    def __init__(self, name: str, recurrent: SteppedModel, infer: InferApi) -> None:
        self.name, self.upper, self.recurrent = name, name.upper(), recurrent
        self.taken, self.given = infer.taken, infer.given
        names = Names(name)
        names.fresh(_EXPONENT)
        self.fields = {t.name: names.fresh(t.name) for t in self._widest_first(recurrent.states)}
        self._locals = Names(name)
        for own in (*self.taken, *self.given, "settled"):
            self._locals.fresh(own)
        given = {n for n, _ in recurrent.outputs}
        self.between = {n: t for n, t in recurrent.computed.items() if n not in given}
        self._buffers = {n: self._locals.fresh(n) for n in self.between}

    @staticmethod
    def _widest_first(tensors: list[Tensor]) -> list[Tensor]:
        return sorted(tensors, key=lambda t: -bits_of(t.ctype))

    @property
    def state_fields(self) -> list[tuple[str, str, int]]:
        """Return (C type, name, elements) of the state, which has no gaps but at its end."""
        fields = [(t.ctype, self.fields[t.name], t.size) for t in self._widest_first(self.recurrent.states)]
        return [*fields, ("int8_t", _EXPONENT, 1)] if self.recurrent.gain else fields

    @property
    def state_bytes(self) -> int:
        """Count the bytes of the state."""
        return struct_bytes((bits_of(ctype) // 8, bits_of(ctype) // 8 * count) for ctype, _, count in self.state_fields)

    def stream_bytes(self, *fields: tuple[int, int]) -> int:
        """Count the bytes of a structure that has the state first, then `fields` (alignment, bytes)."""
        return struct_bytes(
            [(max(bits_of(ctype) // 8 for ctype, _, _ in self.state_fields), self.state_bytes), *fields]
        )

    def step_signature(self) -> str:
        """Return the prototype of a step, without its semicolon."""
        own = [f"const {t.ctype} {n}[{t.size}]" for t, n in zip(self.recurrent.step_inputs, self.taken)]
        exponent = [f"int32_t {self.taken[-1]}"] if self.recurrent.gain else []
        outputs = [f"{t.ctype} {n}[{t.size}]" for (_, t), n in zip(self.recurrent.outputs, self.given)]
        fixed = [f"const {self.name}_ctx *ctx", f"{self.name}_state *state"]
        return signature(f"{self.name}_status", f"{self.name}_infer_step", [*fixed, *own, *exponent, *outputs])

    def declarations(self) -> list[str]:
        """Return the lines of the header."""
        fields = " ".join(
            f"{ctype} {n}{f'[{count}]' if n != _EXPONENT else ''};" for ctype, n, count in self.state_fields
        )
        roles = ", ".join(part.name for part in self.recurrent.parts)
        lines = ["", f"/* What is carried from step to step, {self.state_bytes} bytes; zeros at the start. */"]
        lines += [
            f"typedef struct {{ {fields} }} {self.name}_state;",
            f"void {self.name}_state_reset({self.name}_state *state);",
        ]
        lines += [
            "",
            f"/* One step: {roles}. Whatever else than {self.upper}_OK it returns, the state is as it was. */",
        ]
        return [*lines, f"{self.step_signature()};"]

    def definitions(self, offsets: Mapping[str, str]) -> list[str]:
        """Return the lines of the functions; `offsets`: where in the arena lies what is `between`."""
        name, settling = self.name, self.recurrent.settling
        lines = ["", f"void {name}_state_reset({name}_state *state)", "{", f"    *state = ({name}_state){{0}};", "}"]
        if settling.tops or settling.mean:
            lines += self._settle()
        return [*lines, "", self.step_signature(), "{", *self._step_body(offsets), "}"]

    def _settle(self) -> list[str]:
        fields, states = self.fields, {t.name: t for t in self.recurrent.states}
        tops, mean = self.recurrent.settling.tops, self.recurrent.settling.mean
        shift = f"gain_exponent - state->{_EXPONENT}"
        lines = [
            "",
            "/* Phasors half a turn on, at the gain of the window that comes; of a mean of many windows, half is "
            "forgotten. */",
        ]
        lines += [f"static void {self.name}_settle({self.name}_state *state, int32_t gain_exponent)", "{"]
        most = {name: str(top) for name, top in tops.items()}
        if mean and mean.sum in most:
            most[mean.sum] = f"(int64_t)state->{fields[mean.count]}[i % {states[mean.count].size}] * {mean.summand}"
        for name, largest in most.items():
            t, field = states[name], f"state->{fields[name]}[i]"
            lines += [f"    for (int32_t i = 0; i < {t.size}; i++) {{"]
            lines += [f"        {field} = ({t.ctype})ms_rescaled(-(int64_t){field}, {shift}, {largest});", "    }"]
        return [*lines, *(self._forget(states[mean.count], states[mean.sum], mean.most) if mean else []), "}"]

    def _forget(self, counted: Tensor, summed: Tensor, most: int) -> list[str]:
        """Return the lines that halve a count that is full, `most`, and its sums."""
        count, total = (f"state->{self.fields[t.name]}" for t in (counted, summed))
        lines = [f"    for (int32_t i = 0; i < {counted.size}; i++) {{", f"        if ({count}[i] >= {most}) {{"]
        lines += [f"            for (int32_t k = i; k < {summed.size}; k += {counted.size}) {{"]
        lines += [f"                {total}[k] = ({summed.ctype})(((int64_t){total}[k] + 1) >> 1);", "            }"]
        return [*lines, f"            {count}[i] = {most >> 1};", "        }", "    }"]

    def _step_body(self, offsets: Mapping[str, str]) -> list[str]:
        name, gain = self.name, self.recurrent.gain
        lines = ["    if (!ctx || !ctx->arena || !state) {", f"        return {self.upper}_NULL;", "    }"]
        if gain:
            low, high = gain.exponents
            lines += [
                f"    if ({self.taken[-1]} < {low} || {self.taken[-1]} > {high}) {{",
                f"        return {self.upper}_OUT_OF_RANGE;",
                "    }",
            ]
        lines += ["", "    unsigned char *const memory = (unsigned char *)ctx->arena->words;"]
        for n, t in self.between.items():
            lines.append(f"    {t.ctype} *const {self._buffers[n]} = ({t.ctype} *)(void *)(memory + {offsets[n]});")
        lines += [f"    {name}_state settled = *state;"]
        if gain and (self.recurrent.settling.tops or self.recurrent.settling.mean):
            lines += ["", f"    {name}_settle(&settled, {self.taken[-1]});"]
        calls = [self._call(part) for part in self.recurrent.parts]
        return [
            *lines,
            *one_after_another(name, calls),
            f"    if (status != {self.upper}_OK) {{",
            "        return status;",
            "    }",
            *self._keep(),
            f"    return {self.upper}_OK;",
        ]

    def _call(self, part: Part) -> str:
        outputs = [self._variable(n) for n in part.output_names]
        inputs = [self._variable(self.recurrent.source(part, t.name)) for t in part.inputs]
        return f"{self.name}_{part.name}(ctx, {', '.join([*inputs, *outputs])})"

    def _variable(self, tensor: str) -> str:
        """Return what the function of a step calls a tensor."""
        if tensor in self._buffers:
            return self._buffers[tensor]
        if tensor in self.fields and tensor not in self.recurrent.computed:
            return f"settled.{self.fields[tensor]}"
        ends = [
            *((t.name, n) for t, n in zip(self.recurrent.step_inputs, self.taken)),
            *((n, own) for (n, _), own in zip(self.recurrent.outputs, self.given)),
        ]
        return dict(ends)[tensor]

    def _keep(self) -> list[str]:
        """Return the lines that make what a step gives the state."""
        lines = []
        for t in self.recurrent.states:
            new = self._variable(self.recurrent.carried[t.name])
            lines += [
                f"    for (int32_t i = 0; i < {t.size}; i++) {{",
                f"        state->{self.fields[t.name]}[i] = ({t.ctype}){new}[i];",
                "    }",
            ]
        return [*lines, f"    state->{_EXPONENT} = (int8_t){self.taken[-1]};"] if self.recurrent.gain else lines

    def infer_body(self) -> list[str]:
        """Return the body of `_infer`: all steps of one answer, from zeros."""
        name, own = self.name, [f"{n} + step * {t.size}" for t, n in zip(self.recurrent.step_inputs, self.taken)]
        pointers = " || ".join(f"!{n}" for n in ["ctx", *self.taken])
        lines = [f"    if ({pointers}) {{", f"        return {self.upper}_NULL;", "    }"]
        lines += [
            f"    {name}_state state;",
            f"    {name}_status status = {self.upper}_OK;",
            "",
            f"    {name}_state_reset(&state);",
        ]
        exponent = [f"{self.taken[-1]}[step]"] if self.recurrent.gain else []
        arguments = ", ".join(["ctx", "&state", *own, *exponent, *self.given])
        lines += [f"    for (int32_t step = 0; step < {self.recurrent.steps} && status == {self.upper}_OK; step++) {{"]
        return [*lines, f"        status = {name}_infer_step({arguments});", "    }", "    return status;"]
