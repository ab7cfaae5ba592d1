"""Write `<model>_infer`, a whole inference: one call of a part, or the steps of a recurrent network."""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.program.ir import Part
from microstage_cbackend.program.recurrent import NetworkEnds, RecurrentModel
from microstage_cbackend.writers.cell_api import CellApi
from microstage_cbackend.writers.names import Names, filled
from microstage_cbackend.writers.signatures import signature

__all__ = ["InferApi", "recurrent_body", "single_body"]


class InferApi:
    """Hold what `<model>_infer` takes and gives: tensors of the network, and what they are called in C."""

    def __init__(self, network: str, ends: NetworkEnds) -> None:
        self.network, (self.inputs, self.outputs) = network, ends
        given = [name for name, _ in self.outputs]
        self.taken, self.given = Names(network).arguments([t.name for t in self.inputs], given)

    def signature(self) -> str:
        """Return the prototype, without its semicolon."""
        arguments = [f"const {t.ctype} {name}[{t.size}]" for t, name in zip(self.inputs, self.taken)]
        arguments += [f"{t.ctype} {name}[{t.size}]" for (_, t), name in zip(self.outputs, self.given)]
        fixed = [f"const {self.network}_ctx *ctx"]
        return signature(f"{self.network}_status", f"{self.network}_infer", [*fixed, *arguments])

    def declaration(self, what: str) -> list[str]:
        """Return the lines of the header; `what`: a sentence about the function."""
        return ["", f"/* {what} */", f"{self.signature()};"]


def single_body(infer: InferApi, part: Part) -> list[str]:
    """Return the body where the network is one part."""
    return filled(f"return {infer.network}_{part.name}(ctx, {', '.join([*infer.taken, *infer.given])});")


def recurrent_body(
    infer: InferApi, recurrent: RecurrentModel, head: Part, cell: CellApi, offsets: Mapping[str, str]
) -> list[str]:
    """Return the body where a `cell` is stepped from zeros between an encoder, if there is one, and a `head`.

    `offsets`: where in the arena the outputs of the encoder lie.
    """
    name, names = infer.network, Names(infer.network)
    taken = {t.name: names.fresh(own) for t, own in zip(infer.inputs, infer.taken)}
    given = [names.fresh(own) for own in infer.given]
    encoder = recurrent.encoder
    encoded = dict(zip(encoder.output_names, encoder.outputs)) if encoder else {}
    buffers = {n: names.fresh(f"{n}_steps") for n in encoded}
    lines = ["    if (!ctx || !ctx->arena) {", f"        return {name.upper()}_NULL;", "    }", ""]
    lines += ["    unsigned char *const memory = (unsigned char *)ctx->arena->words;"] if encoded else []
    for n, t in encoded.items():
        start, steps = f"    {t.ctype} *const {buffers[n]}", f"/* {recurrent.steps} steps */"
        lines.append(f"{start} = ({t.ctype} *)(void *)(memory + {offsets[n]}); {steps}")
    lines += [f"    {cell.prefix}_state state;", "", f"    {cell.prefix}_reset(&state);"]
    calls = []
    if encoder:
        arguments = [*(taken[t.name] for t in encoder.inputs), *buffers.values()]
        calls.append(f"{name}_{encoder.name}(ctx, {', '.join(arguments)})")
    steps_of = recurrent.sequence.steps
    frames = [buffers.get(steps_of[t.name]) or taken[steps_of[t.name]] for t in cell.part.inputs if t.name in steps_of]
    calls.append(f"{cell.prefix}_steps(ctx, {', '.join(['&state', *frames, str(recurrent.steps)])})")
    last = recurrent.sequence.last
    read = [f"state.{cell.field(last[t.name])}" if t.name in last else taken[t.name] for t in head.inputs]
    calls.append(f"{name}_{head.name}(ctx, {', '.join([*read, *given])})")
    return [*lines, *one_after_another(name, calls), "    return status;"]


def one_after_another(network: str, calls: list[str]) -> list[str]:
    """Return lines that make each of `calls` after the one before succeeded; `status` is that of the last one made."""
    lines = [f"    {network}_status status = {calls[0]};"]
    for call in calls[1:]:
        lines += [f"    if (status == {network.upper()}_OK) {{", f"        status = {call};", "    }"]
    return lines
