"""How much a float network computes, by modules or by functions."""

import torch
from torch import nn
from torch.nn import functional

from microstage.models.floats.counting import work_of
from microstage.models.tiny import MODELS
from microstage.models.tiny.train import Training


def test_published_networks_have_the_counts_that_are_known_of_them():
    for model, size, products, weights in (
        ("resnet8", (3, 32, 32), 12_501_632, 77_360),
        ("mobilenetv1", (3, 96, 96), 7_489_664, 208_112),
        ("dae", (640,), 264_192, 264_192),
    ):
        network = Training.float_network({**MODELS[model], "model": model})
        found = work_of(network, torch.zeros(1, *size))
        assert found == {"multiply_accumulates": products, "weights": weights}, model
        assert network.training, "is left as it was"


def test_functions_count_as_modules_do_and_a_weight_that_is_used_twice_is_one():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.outer = nn.Linear(6, 6, bias=False), nn.Parameter(torch.ones(4, 6))

        def forward(self, x):
            return functional.linear(self.inner(self.inner(x)), self.outer)

    assert work_of(Shared(), torch.zeros(1, 6)) == {"multiply_accumulates": 36 + 36 + 24, "weights": 36 + 24}
