"""Sound, motion and a place in; one number out. Names, shapes and order are of no meaning to any stage."""

import brevitas.nn as qnn
import torch
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerTensorFloat, Int32Bias, Uint8ActPerTensorFloat
from torch import nn

from microstage.models import exporting, training
from microstage.models.definition import Definition
from microstage.models.network import Network
from microstage.models.training import Examples, Phase, Splits

FORM = "recurrent"
PARAMETERS = {"epochs": {"default": 1}, "batch": {"default": 32}, "learning_rate": {"default": 0.01}}
STEPS = 5


class Listening(Network):
    """sound [n, 20], motion [n, 5, 3], place [n, 4] -> distance [n, 2]."""

    def __init__(self):
        super().__init__()
        weight = Int8WeightPerTensorFloat
        self.state = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat)
        self.filter = qnn.QuantConv1d(2, 6, 3, stride=2, padding=1, bias=False, weight_quant=weight)
        self.norm, self.rect = nn.BatchNorm1d(6), qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat.let(bit_width=5))
        self.steps = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat.let(bit_width=6))
        self.near = qnn.QuantLSTM(9, 7, batch_first=True, bias_quant=None)
        self.narrow = qnn.QuantLinear(7, 6, bias=False, weight_quant=weight)
        self.far = qnn.QuantLSTM(6, 5, batch_first=True, cell_state_quant=Int8ActPerTensorFloat.let(bit_width=6))
        self.beside = qnn.QuantLSTM(3, 4, batch_first=True)
        self.ctx = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat)
        self.joined = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat, return_quant_tensor=True)
        self.out = qnn.QuantLinear(18, 2, bias=True, weight_quant=weight, bias_quant=Int32Bias)

    def forward(self, sound, motion, place):
        heard = self.rect(self.norm(self.filter(self.state(sound).reshape(len(sound), 2, 10)))).transpose(1, 2)
        moved = self.steps(motion)
        first, _ = self.near(torch.cat([heard, moved], 2))
        second, _ = self.far(self.narrow(first))
        third, _ = self.beside(moved)
        return self.out(self.joined(torch.cat([second[:, -1], self.ctx(place), third[:, -1], second[:, -1]], 1)))


class Training(training.Training):
    input = ("sound", "motion", "place")
    loss_name = "absolute error"

    def __init__(self, parameters, data):
        super().__init__(parameters, data)
        self.splits = Splits(*(heard(n) for n in (256, 64, 300)))
        self.network = Listening()

    @property
    def definition(self):
        return Definition(
            self.parameters, {"names": {"near.input": "frames", "near.hidden": "i"}, "files": {"head": "mouth"}}
        )

    def phases(self):
        p = self.parameters
        yield Phase("quantised", self.network, p["epochs"], p["batch"], p["learning_rate"], p["seed"], nn.L1Loss())


class Exporting(exporting.Exporting):
    input, output = ("sound", "motion", "place"), "distance"

    def __init__(self, folder):
        super().__init__(folder)
        self.network = Listening()


def heard(count):
    sound, motion, place = torch.randn(count, 20), torch.randn(count, STEPS, 3), torch.rand(count, 4) * 3
    return Examples((sound, motion, place), torch.stack([sound.mean(1) + place[:, 0], motion[:, -1].sum(1)], 1))
