"""Write the functions over parts: a whole inference, and recurrent parts that stream from call to call."""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.model import Model, SteppedModel
from microstage_cbackend.writers.cell_api import CellApi
from microstage_cbackend.writers.infer_api import InferApi, recurrent_body, single_body
from microstage_cbackend.writers.part_writer import PartWriter
from microstage_cbackend.writers.stepping import Stepping

__all__ = ["KEPT", "Api"]

KEPT = "ms_kept"
"What the C calls the place in the arena behind what any part needs, where that differs from machine to machine."


class Api:
    """Collect the functions over parts: `cells`, each by itself; `stepping`, all parts at once; `infer`, the whole.

    `stepping` is None but for networks whose parts all run at every step, `infer` where the parts make no whole. What
    is kept between parts, `kept_bytes`, lies in the arena behind what any part needs: from `begins` on, or, where that
    is None, from the constant KEPT on.
    """

    def __init__(self, model: Model, writers: Mapping[str, PartWriter], begins: int | None) -> None:
        self.model = model
        self.infer = InferApi(model.name, model.ends) if model.ends else None
        self.stepping: Stepping | None = None
        self.cells: list[CellApi] = []
        if not isinstance(model.recurrent, SteppedModel):
            self.cells = [CellApi(model.name, part, writers[part.name]) for part in model.parts if part.states]
        elif self.infer:
            self.stepping = Stepping(model.name, model.recurrent, self.infer)
        self._offsets: dict[str, str] = {}
        self.kept_bytes = 0
        for name, tensor in self._kept().items():
            at = self.kept_bytes
            self._offsets[name] = f"{KEPT} + {at}" if begins is None else str(begins + at)
            self.kept_bytes += -(-tensor.bytes // 8) * 8

    def _kept(self) -> dict[str, Tensor]:
        """Return what lies in the arena between calls of parts, by a name for each place."""
        states = {f"{cell.part.name}.{new}": t for cell in self.cells for new, t in cell.after.items()}
        if self.stepping:
            return {**states, **self.stepping.between}
        encoder = self.model.recurrent.encoder if self.model.recurrent else None
        return {**states, **(dict(zip(encoder.output_names, encoder.outputs)) if encoder else {})}

    @property
    def headers(self) -> list[str]:
        """Return the kernels' headers that the functions over parts need."""
        return ["ms_settle.h"] if self.stepping and self.stepping.recurrent.settling.tops else []

    def declarations(self) -> list[str]:
        """Return the lines of the header."""
        lines = [line for cell in self.cells for line in cell.declarations()]
        if self.infer and self.stepping:
            what = f"{self.stepping.recurrent.steps} steps from zeros; the answers are those of the last."
            return [*lines, *self.stepping.declarations(), *self.infer.declaration(what)]
        return [*lines, *(self.infer.declaration(self._what()) if self.infer else [])]

    def _what(self) -> str:
        """Say what one inference consists of."""
        recurrent = self.model.recurrent
        if recurrent is None:
            return "The whole network: one call."
        steps = f"{recurrent.steps} steps of {recurrent.cell.name} from zero states"
        around = [part.name if part else "" for part in (recurrent.encoder, recurrent.head)]
        return f"The whole network: {', '.join(filter(None, [around[0], steps, around[1]]))}."

    def definitions(self) -> list[str]:
        """Return the lines of the functions."""
        lines: list[str] = []
        for cell in self.cells:
            lines += cell.definitions({new: self._offsets[f"{cell.part.name}.{new}"] for new in cell.after})
        lines += self.stepping.definitions(self._offsets) if self.stepping else []
        if self.infer:
            lines += ["", self.infer.signature(), "{", *self._infer_body(self.infer), "}"]
        return lines

    def _infer_body(self, infer: InferApi) -> list[str]:
        recurrent = self.model.recurrent
        if self.stepping:
            return self.stepping.infer_body()
        if recurrent is None or recurrent.head is None:
            return single_body(infer, self.model.parts[0])
        cell = next(cell for cell in self.cells if cell.part is recurrent.cell)
        return recurrent_body(infer, recurrent, recurrent.head, cell, self._offsets)
