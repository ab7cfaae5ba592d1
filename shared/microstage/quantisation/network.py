"""A float network with quantisers in it: calibrated, corrected, trained on, and turned into integers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import brevitas.nn as qnn
import torch
from brevitas import config
from brevitas.graph.quantize import quantize as brevitas_quantize
from torch import Tensor, fx, nn

from microstage.errors import ModelError, ParameterError
from microstage.models.network import Network
from microstage.process.progress import progress
from microstage.quantisation.integers.integer_network import IntegerNetwork
from microstage.quantisation.lowering import lower
from microstage.quantisation.passes import calibrating, correcting, finetuning
from microstage.quantisation.passes.as_diana import calibrate_as_diana
from microstage.quantisation.passes.error import answers, relative_l2
from microstage.quantisation.passes.finetuning import Batch, Loss
from microstage.quantisation.passes.recording import LayerRun, walk
from microstage.quantisation.passes.rounding import adaround_layer, is_determined
from microstage.quantisation.passes.sensitivity import Sensitivity, measured
from microstage.quantisation.preparing import PreparedNetwork
from microstage.quantisation.quantisers.headroom import give_headroom
from microstage.quantisation.quantisers.layers import activation_map, identity_map, layer_map, round_the_input
from microstage.quantisation.quantisers.scales import activation_scales, layers_with_weights
from microstage.quantisation.quantisers.sums import coarsen_sums, sum_scales
from microstage.quantisation.quantisers.weight_scales import fit_weights, round_scales
from microstage.quantisation.representative import Representative, batches_of, spread_examples
from microstage.quantisation.targets import AS_DIANA, Target
from microstage.quantisation.targets.rules import assert_allowed

__all__ = ["QuantisedNetwork", "Representative", "quantize"]

_BEST = "best"
_TRIED = ("mse", "percentile")  # of which `best` takes the better one
_FEW = 256  # examples that it is chosen by


def quantize(model: PreparedNetwork, target: str | Target = "diana-digital") -> QuantisedNetwork:
    """Return a prepared network with a quantiser behind every layer, for a target by name, file or object.

    Raise `ModelError` where the target does not have a layer, with the layer and the rule.
    """
    target = target if isinstance(target, Target) else Target.load(target)
    assert_allowed(model.graph_module, target)
    return QuantisedNetwork(model, target)


class QuantisedNetwork(Network):
    """Call it as the float network: it computes in floats what the integers will be, and gradients pass through.

    Each pass returns the network itself. Those that correct leave it as it was unless its output comes nearer to the
    float network's on the batches that they are given.
    """

    def __init__(self, prepared: PreparedNetwork, target: Target) -> None:
        super().__init__()
        self.target = target
        self._prepared = [prepared]  # in a list, so that its weights are no parameters of this network
        self.graph_module = brevitas_quantize(
            _with_biases(copy.deepcopy(prepared.graph_module)),
            quant_identity_map=identity_map(target),
            compute_layer_map=layer_map(target),
            quant_act_map=activation_map(target),
        )
        self.graph_module.delete_all_unused_submodules()
        round_the_input(self.graph_module, target)
        fit_weights(self.graph_module, target.weights.calibration)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.graph_module(x)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any:
        """Take over values, and leave quantisers the objects that they are.

        brevitas makes new ones by default, of which none shares its scale with another or rounds as it was told to.
        """
        anew, config.REINIT_ON_STATE_DICT_LOAD = config.REINIT_ON_STATE_DICT_LOAD, False
        try:
            return super().load_state_dict(state_dict, strict)
        finally:
            config.REINIT_ON_STATE_DICT_LOAD = anew

    @property
    def calibrated(self) -> bool:
        return all(scale.is_set for scale in activation_scales(self.graph_module))

    @property
    def float_network(self) -> fx.GraphModule:
        return self._prepared[0].graph_module

    def calibrate(self, representative: Representative, method: str | None = None) -> QuantisedNetwork:
        """Choose every scale by what flows through the float network: batches [n, ...], or a function that gives them.

        `method` is the target's own unless one is named: percentile, max, mse, three-sigma, or best: percentile or mse,
        whichever brings the output nearer to the float network's.
        """
        method, batches = method or self.target.calibration, self._batches(representative)
        if method == AS_DIANA:
            prepared = self._prepared[0]
            calibrate_as_diana(self.graph_module, prepared.unfolded, prepared.example, batches)
            return self
        if method not in (_BEST, *calibrating.CALIBRATIONS):
            raise ParameterError(f"Calibration {method!r} is none of {', '.join((_BEST, *calibrating.CALIBRATIONS))}.")
        calibrator = calibrating.Calibrator(self.graph_module, batches)
        if method == _BEST:
            few = spread_examples(batches, _FEW)
            expected = answers(self.float_network, few)
            method = min(_TRIED, key=lambda tried: relative_l2(self._calibrated(calibrator, tried, few), expected))
        self._set_scales(calibrator, method)
        return self

    def correct_bias(self, representative: Representative) -> QuantisedNetwork:
        """Add to each bias the mean by which quantising moved that layer's output."""
        batches = self._calibrated_batches(representative)
        with self._no_worse(batches):
            for given, wanted in self._side_by_side(batches, "biases"):
                correcting.match_mean(given.layer, given.outputs, wanted.outputs)
        return self

    def reestimate_norms(self, representative: Representative) -> QuantisedNetwork:
        """Give each channel of each layer the mean and the deviation that it has in the float network."""
        batches = self._calibrated_batches(representative)
        for given, wanted in self._side_by_side(batches, "norms"):
            with self._no_worse(batches):
                correcting.match_norm(given.layer, given.outputs, wanted.outputs)
        return self

    def adaround(self, representative: Representative, steps: int = 200, seed: int = 0) -> QuantisedNetwork:
        """Learn for each weight whether it is rounded up or down, so that layers give what the float network's do.

        Layers of which the batches hold too little keep their roundings.
        """
        batches = self._calibrated_batches(representative)
        generator = torch.Generator().manual_seed(seed)
        with self._no_worse(batches):
            for given, wanted in self._side_by_side(batches, "AdaRound"):
                if is_determined(given.layer, wanted.outputs):
                    rectified = self._rectified(given.path)
                    adaround_layer(given.layer, given.inputs, wanted.outputs, rectified, steps, generator)
        return self

    def finetune(
        self,
        batches: Sequence[Batch] | Callable[[], Iterable[Batch]],
        loss: Loss = nn.functional.mse_loss,
        epochs: int = 5,
        rate: float = 1e-3,
        seed: int = 0,
        validation: Sequence[Batch] | None = None,
        learn_scales: bool = True,
    ) -> QuantisedNetwork:
        """Train further on batches of (inputs, targets), through the target's rounding."""
        self._assert_calibrated()
        parameters = self._learned(learn_scales)
        finetuning.finetune(
            self, parameters, list(batches() if callable(batches) else batches), loss, epochs, rate, seed, validation
        )
        return self

    def sensitivity(self, representative: Representative) -> Sensitivity:
        """Return how far the output moves when one layer's weights, or one activation, alone is quantised."""
        return measured(self.graph_module, self._calibrated_batches(representative))

    def integerize(self) -> IntegerNetwork:
        """Return the network in integers alone.

        Scales that training moved to where the target has none are made coarser first.
        """
        self._assert_calibrated()
        if self.target.calibration != AS_DIANA:  # whose integers are that tool's own
            self._fit_to_target()
        return lower(self.graph_module, self.target, self._prepared[0].example)

    def _set_scales(self, calibrator: calibrating.Calibrator, method: str) -> None:
        calibrator.set_scales(method)
        self._fit_to_target()

    def _calibrated(self, calibrator: calibrating.Calibrator, method: str, batches: Sequence[Tensor]) -> Tensor:
        """Return the answers with scales that are set by `method`."""
        self._set_scales(calibrator, method)
        return answers(self, batches)

    def _fit_to_target(self) -> None:
        give_headroom(self.graph_module, self.target, self._prepared[0].example)
        if self.target.shift is not None:
            coarsen_sums(self.graph_module)
        if self.target.weights.scale == "byte":
            round_scales(self.graph_module)

    def _learned(self, learn_scales: bool) -> list[nn.Parameter]:
        layers = [layer for _, layer in self._layers()]
        learned = [parameter for layer in layers for parameter in (layer.weight, layer.bias)]
        if learn_scales:
            fixed = [after.scaling for _, after in sum_scales(self.graph_module)]
            scales = (scale.scaling for scale in activation_scales(self.graph_module))
            learned += [scaling.value for scaling in scales if all(scaling is not other for other in fixed)]
            learned += [layer.weight_quant.tensor_quant.scaling_impl.value for layer in layers]
        return learned

    def _side_by_side(self, batches: Sequence[Tensor], label: str) -> Iterable[tuple[LayerRun, LayerRun]]:
        """Return each layer with weights here, and in the float network, in the order in which data flows."""
        both = zip(walk(self.graph_module, batches), walk(self.float_network, batches))
        return progress(both, len(self._layers()), label)

    def _layers(self) -> list[tuple[str, nn.Module]]:
        """Return the layers with weights in the order in which data flows."""
        layers = dict(layers_with_weights(self.graph_module))
        targets = (node.target for node in self.graph_module.graph.nodes if node.op == "call_module")
        return [(str(target), layers[target]) for target in targets if target in layers]

    def _rectified(self, layer: str) -> bool:
        """Whether all that reads `layer` is a ReLU."""
        modules = dict(self.graph_module.named_modules())
        (users,) = (node.users for node in self.graph_module.graph.nodes if node.target == layer)
        return all(isinstance(modules.get(user.target), qnn.QuantReLU) for user in users)

    @contextmanager
    def _no_worse(self, batches: Sequence[Tensor]) -> Iterator[None]:
        """Undo what is done within unless the output comes nearer to the float network's."""
        expected = answers(self.float_network, batches)
        before, kept = relative_l2(answers(self, batches), expected), copy.deepcopy(self.state_dict())
        yield
        if not relative_l2(answers(self, batches), expected) < before:
            self.load_state_dict(kept)

    def _calibrated_batches(self, representative: Representative) -> list[Tensor]:
        self._assert_calibrated()
        return self._batches(representative)

    def _batches(self, representative: Representative) -> list[Tensor]:
        return batches_of(representative, self._prepared[0].example.shape[1:])

    def _assert_calibrated(self) -> None:
        if not self.calibrated:
            raise ModelError("The network has no scales yet: call calibrate(representative) first.")


def _with_biases(graph: fx.GraphModule) -> fx.GraphModule:
    """Every layer has a bias that can be corrected: so every state has the same names."""
    for module in graph.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)) and module.bias is None:
            module.bias = nn.Parameter(torch.zeros(len(module.weight)))
    return graph
