"""A float network drawn from a seed: residual sums, depthwise convolutions, pools; pictures or sequences."""

import torch
from torch import nn

from microstage.models.floats.training import FloatTraining
from microstage.models.training import Examples, Splits

PARAMETERS = {
    "drawn": {"type": "int", "default": 1, "min": 0, "max": 1000000, "summary": "Seed of the network."},
    "epochs": {"default": 1},
    "batch": {"default": 32},
}


class Block(nn.Module):
    """A convolution of some kind with its norm; added to its input where the shapes allow it."""

    def __init__(self, flat, width, out, kind, kernel, stride, activation):
        super().__init__()
        conv, norm = (nn.Conv1d, nn.BatchNorm1d) if flat else (nn.Conv2d, nn.BatchNorm2d)
        groups = width if kind == "depthwise" else 1
        self.conv = conv(width, out, kernel, stride, kernel // 2, groups=groups, bias=kind == "biased")
        self.norm = norm(out) if kind != "biased" else nn.Identity()
        self.residual, self.activation = stride == 1 and width == out, activation

    def forward(self, x):
        y = self.norm(self.conv(x))
        return self.activation(x + y if self.residual else y)


class Drawn(nn.Module):
    def __init__(self, seed):
        super().__init__()
        draw = torch.Generator().manual_seed(seed)

        def one(*choices):
            return choices[int(torch.randint(len(choices), (1,), generator=draw))]

        self.flat = bool(one(0, 0, 1))
        width, blocks = one(4, 6, 8), []
        first = (nn.Conv1d if self.flat else nn.Conv2d)(1, width, 3, 1, 1, bias=False)
        for _ in range(one(1, 2, 3)):
            kind, stride = one("plain", "depthwise", "biased"), one(1, 1, 2)
            out = width if kind == "depthwise" else one(width, width, 2 * width)
            activation = one(nn.ReLU(), nn.ReLU6(), nn.ReLU(inplace=True))
            blocks.append(Block(self.flat, width, out, kind, one(1, 3), stride, activation))
            width = out
        self.first, self.blocks = first, nn.Sequential(*blocks)
        self.pooled = one("average", "mean") if not self.flat else "flatten"
        self.pool = nn.AdaptiveAvgPool2d(1)
        size = 12
        with torch.no_grad():
            shape = self.features(torch.zeros(2, 1, size) if self.flat else torch.zeros(2, 1, size, size)).shape
        self.out = nn.Linear(shape[1], 3)

    def features(self, x):
        x = self.blocks(torch.relu(self.first(x)))
        if self.pooled == "average":
            return torch.flatten(self.pool(x), 1)
        return x.mean((2, 3)) if self.pooled == "mean" else x.reshape(x.shape[0], -1)

    def forward(self, x):
        return self.out(self.features(x))


class Training(FloatTraining):
    input, output, classes = "x", "y", ("a", "b", "c")

    @staticmethod
    def float_network(parameters):
        return Drawn(parameters["drawn"])

    def examples(self, data):
        shape = (1, 12) if Drawn(self.parameters["drawn"]).flat else (1, 12, 12)
        return Splits(*(Examples(torch.randn(n, *shape), torch.randint(0, 3, (n,))) for n in (256, 64, 64)))
