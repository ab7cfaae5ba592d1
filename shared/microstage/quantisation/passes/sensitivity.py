"""How far a network's output moves when one part of it alone is quantised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from microstage.process.progress import progress
from microstage.process.text_table import table
from microstage.quantisation.passes.error import answers, relative_l2
from microstage.quantisation.passes.switching import unquantised
from microstage.quantisation.quantisers.scales import activation_scales, layers_with_weights

__all__ = ["SensitivePart", "Sensitivity", "measured"]


@dataclass(frozen=True)
class SensitivePart:
    """The weights of a layer, or an activation, and the relative L2 of the output when nothing else is quantised."""

    layer: str
    kind: str
    relative_l2: float


@dataclass(frozen=True)
class Sensitivity:
    """A row for each part, in the order of the network's modules: weights first, then activations."""

    rows: tuple[SensitivePart, ...]

    def table(self) -> str:
        """Return the rows as text, the most sensitive part first."""
        rows = [[part.layer, part.kind, f"{part.relative_l2:.2e}"] for part in self._sorted()]
        return "\n".join(table(["layer", "quantised", "relative L2"], rows))

    def draw(self, path: Path) -> None:
        """Draw the rows as bars into a PNG."""
        from microstage.charts import bars

        bars.draw(
            path,
            [f"{part.layer}, {part.kind}" for part in self._sorted()],
            [part.relative_l2 for part in self._sorted()],
            "relative L2 of the output when this alone is quantised",
        )

    def _sorted(self) -> list[SensitivePart]:
        return sorted(self.rows, key=lambda part: -part.relative_l2)


def measured(network: nn.Module, batches: Sequence[Tensor]) -> Sensitivity:
    """Quantise one part of `network` after another; compare with all of it in floats."""
    with unquantised(network):
        expected = answers(network, batches)
    parts, rows = list(_parts(network)), []
    for layer, kind, quantiser in progress(parts, len(parts), "sensitivity"):
        with unquantised(network, but=quantiser):
            rows.append(SensitivePart(layer, kind, relative_l2(answers(network, batches), expected)))
    return Sensitivity(tuple(rows))


def _parts(network: nn.Module) -> Iterator[tuple[str, str, nn.Module]]:
    for name, layer in layers_with_weights(network):
        yield name, "weights", layer.weight_quant
    for scale in activation_scales(network):
        for name, quantiser in scale.quantisers.items():
            yield name, "activation", quantiser.act_quant
