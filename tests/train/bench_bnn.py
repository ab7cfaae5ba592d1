"""Milliseconds of processor time of a training step of the binary networks on one thread: brevitas' layers with the
framework's dropout, loss and Adam, beside the fused ones, which of digits see what the first quantiser makes of them
once and for all; turn by turn."""

import statistics
import sys
import time

import torch
from torch import Tensor, nn

from microstage.models.bnn import MODELS
from microstage.models.bnn.adam import FlatAdam
from microstage.models.bnn.definition import BinaryDefinition
from microstage.models.bnn.network import BinaryNetwork
from microstage.models.bnn.train import squared_hinge

_ROUNDS = 9
_DIGITS, _PHOTOGRAPHS = (10, 100), (1, 20)  # steps a round, images a step
_NETWORKS = ("tfc-1w1a", "tfc-1w2a", "tfc-2w2a", "sfc-1w1a", "sfc-1w2a", "sfc-2w2a", "lfc-1w1a", "cnv-1w1a")


class Plain(BinaryNetwork):
    """As published: brevitas' layers one by one, the framework's dropout behind each quantiser."""

    def __init__(self, definition: BinaryDefinition) -> None:
        super().__init__(definition, fast=False)
        self.dropout = nn.Dropout(definition.dropout)

    def forward(self, image: Tensor) -> Tensor:
        x = self.pixels(2.0 * (image.float() / 255.0) - 1.0)
        for layer in self.convolutions:
            x = layer(x)
        x = self.dropout(x.flatten(1))
        for layer in self.layers:
            x = self.dropout(layer(x))
        return self.norm(self.out(x))


def hinge(scores: Tensor, targets: Tensor) -> Tensor:
    return (1 - scores * targets).clamp_min(0).square().mean()


def seconds(steps: int, network: BinaryNetwork, optimiser, loss_of, images, targets) -> float:
    began = time.process_time()
    for _ in range(steps):
        loss = loss_of(network(images), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        network.clip_weights()
    return (time.process_time() - began) / steps


def main(networks: list[str]) -> None:
    torch.set_num_threads(1)
    torch.backends.mkldnn.enabled = False  # as in training
    for model in networks:
        definition = BinaryDefinition.from_parameters({"dropout": 0.2, **MODELS[model], "model": model})
        steps, batch = _PHOTOGRAPHS if definition.convolutional else _DIGITS
        images, targets = (
            torch.randint(0, 256, (batch, *definition.image), dtype=torch.uint8),
            torch.randn(batch, 10).sign(),
        )
        slow, fast = Plain(definition).train(), BinaryNetwork(definition).train()
        sides = {
            "plain": (slow, torch.optim.Adam(slow.parameters(), lr=0.001), hinge, images),
            "fused": (
                fast,
                FlatAdam(fast.parameters(), lr=0.001),
                squared_hinge,
                images if definition.convolutional else fast.integers(images),
            ),
        }
        taken = {name: [] for name in sides}
        for round_ in range(_ROUNDS + 1):  # the first warms up
            for name, side in sides.items():
                taken[name] += [seconds(steps, *side, targets)] if round_ else []
        ratios = [a / b for a, b in zip(taken["plain"], taken["fused"])]
        median = {name: 1e3 * statistics.median(times) for name, times in taken.items()}
        print(
            f"{model}, {batch} images: plain {median['plain']:.2f} ms, fused {median['fused']:.2f} ms;"
            f" {statistics.median(ratios):.2f} times as fast (from {min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:] or list(_NETWORKS))
