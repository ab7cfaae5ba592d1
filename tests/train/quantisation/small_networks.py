"""Small float networks with what real ones have: a residual sum, a depthwise convolution, batch norms, a pool."""

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """Pictures [n, 3, 8, 8] -> scores [n, 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.depthwise, self.norm2 = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8)
        self.relu, self.pool, self.flatten = nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()
        self.scores = nn.Linear(8, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.first(x)))
        x = torch.relu(self.norm2(self.depthwise(x)) + x)
        return self.scores(self.flatten(self.pool(x)))


def residual(seed: int = 0) -> Residual:
    """Return the network with weights and running statistics that are not those of a beginning."""
    torch.manual_seed(seed)
    network = Residual()
    for norm in (network.norm, network.norm2):
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.normal_(norm.bias, 0, 0.5)
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.3, 2.0)
    return network.eval()


def pictures(seed: int = 1, batches: int = 4) -> list[Tensor]:
    """Return batches of 16 pictures, some of them bright."""
    torch.manual_seed(seed)
    return [torch.randn(16, 3, 8, 8) * torch.rand(16, 1, 1, 1) * 2 for _ in range(batches)]
