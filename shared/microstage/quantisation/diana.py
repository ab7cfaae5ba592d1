"""DIANA's names and order for what this package does: a script of that framework runs with its import changed.

fq_model = DianaModule(DianaModule.from_trainedfp_model(model), representative_dataset)
fq_model.set_quantized(activations=True)
fq_model.map_to_hw()
fq_model.integrize_layers()
fq_model.export_model("export")
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from microstage.errors import ModelError
from microstage.quantisation.integers.integer_network import IntegerNetwork
from microstage.quantisation.network import QuantisedNetwork, quantize
from microstage.quantisation.preparing import prepare
from microstage.quantisation.representative import batches_of
from microstage.quantisation.targets import AS_DIANA, Target

__all__ = ["DianaModule"]


class DianaModule(nn.Module):
    """A float network on its way to integers; it computes what the last step made of it.

    `representative_dataset` is a function that gives batches [n, ...], or (batch, label) pairs of which the first
    counts. `target` is one of this package's.
    """

    def __init__(
        self,
        model: nn.Module,
        representative_dataset: Callable[[], Iterable[Tensor]],
        target: str | Target = "diana-digital",
    ) -> None:
        super().__init__()
        self.model, self.target = model, target
        self._representative_dataset = representative_dataset
        self._quantised: QuantisedNetwork | None = None
        self._integers: IntegerNetwork | None = None

    @staticmethod
    def from_trainedfp_model(model: nn.Module) -> nn.Module:
        """Return a copy of a trained network, in evaluation mode; the network itself stays as it is."""
        return copy.deepcopy(model).eval()

    def set_quantized(self, activations: bool = True) -> None:
        """Put quantisers into the network and choose their scales by the representative dataset."""
        if not activations:
            raise ModelError("set_quantized(activations=False) quantises nothing here: integers need both.")
        batches = self._batches()
        self._quantised = quantize(prepare(self.model, batches[0]), self.target).calibrate(batches)
        self._integers = None

    def map_to_hw(self) -> None:
        """Correct each bias for what quantising did to its layer; batch norms are part of the layers since before."""
        quantised = self._after_set_quantized("map_to_hw")
        if quantised.target.calibration != AS_DIANA:
            quantised.correct_bias(self._batches())

    def integrize_layers(self) -> None:
        """Turn the network into integers, and compare every one with the quantised network's."""
        self._integers = self._after_set_quantized("integrize_layers").integerize()
        self._integers.verify(self._batches()[:1])

    def export_model(self, folder: str | Path) -> None:
        """Write model.onnx in DIANA's dialect, input.npy, intermediate_{i}.npy and output.npy for one input."""
        self.integers.export(folder, "diana", self._batches()[0][:1])

    @property
    def integers(self) -> IntegerNetwork:
        """The network in integers alone, which states itself in the other dialects too."""
        if self._integers is None:
            raise ModelError("There are no integers yet: call integrize_layers() first.")
        return self._integers

    def forward(self, x: Tensor) -> Tensor:
        if self._integers is not None:
            return torch.from_numpy(self._integers.predict(x)).to(x.dtype)
        return self.model(x) if self._quantised is None else self._quantised(x)

    def _after_set_quantized(self, step: str) -> QuantisedNetwork:
        if self._quantised is None:
            raise ModelError(f"{step}() works on quantisers: call set_quantized() first.")
        return self._quantised

    def _batches(self) -> list[Tensor]:
        """Return all batches; each has the shape of the first."""
        given = list(self._representative_dataset())
        first = given[0][0] if given and isinstance(given[0], (tuple, list)) else given[0] if given else None
        return batches_of(given, first.shape[1:] if isinstance(first, Tensor) else ())
