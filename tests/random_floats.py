"""Random float networks as people train them: residual blocks, depthwise ones, pools, norms, and whatever order."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZE = 8


class Residual(nn.Module):
    """Two convolutions around a shortcut, which is a convolution of its own where the size changes."""

    def __init__(self, channels: int, wider: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, wider, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(wider, wider, 3, 1, 1)
        self.norm, self.norm2 = nn.BatchNorm2d(wider), nn.BatchNorm2d(wider)
        same = channels == wider and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels, wider, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.first(x)))
        y = self.norm2(self.second(y))
        y += self.shortcut(x)
        return F.relu(y, inplace=True)


def depthwise(channels: int, wider: int, stride: int) -> nn.Sequential:
    """Return a convolution of each channel and one of each place."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(),
        nn.Conv2d(channels, wider, 1, bias=False),
        nn.BatchNorm2d(wider),
        nn.ReLU(),
    )


def random_network(seed: int) -> nn.Module:
    """Return a trained-looking network from pictures [n, 3, 8, 8] to scores [n, 4]; the same for the same seed."""
    chosen = random.Random(seed)
    torch.manual_seed(seed)
    channels = chosen.choice([4, 6])
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
    for _ in range(chosen.choice([1, 2])):
        wider, stride = chosen.choice([channels, channels + 2]), chosen.choice([1, 2])
        layers.append(chosen.choice([Residual, depthwise])(channels, wider, stride))
        channels = wider
    if chosen.random() < 0.5:
        layers.append(chosen.choice([nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Dropout2d(0.3)]))
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4, bias=chosen.random() < 0.5)]
    network = nn.Sequential(*layers)
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.normal_(norm.bias, 0, 0.5)
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.3, 2.0)
    return network.eval()


def random_pictures(seed: int, count: int = 8) -> Tensor:
    """Return pictures [count, 3, 8, 8] of several brightnesses."""
    generator = torch.Generator().manual_seed(seed)
    bright = torch.rand(count, 1, 1, 1, generator=generator) * 2
    return torch.randn(count, 3, SIZE, SIZE, generator=generator) * bright
