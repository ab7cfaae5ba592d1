"""diana-compat gives the integers of DIANA's own tool: recorded from dianaquantlib on the same network and pictures."""

import numpy as np
import pytest
from small_networks import pictures, residual
from torch import nn

from microstage import quantisation
from microstage.quantisation.integers.operations import Quantise, Requantise

# Of each dump in the order of its numbers: the sum of all integers, and that of each times its place.
RECORDED = [(5, 52128), (4226, 867918), (-1811, -596121), (5057, 1066167), (76, 211), (48, 142)]


def test_compat_dumps_what_the_original_dumps():
    batches = pictures()
    network = quantisation.quantize(quantisation.prepare(residual(), batches[0]), "diana-compat").calibrate(batches)
    integer = network.integerize()
    integer.verify(batches)
    values = integer.values(batches[0][:1])
    dumps = [values[one.output].ravel() for one in integer.operations if isinstance(one, (Quantise, Requantise))]
    assert [(dump.sum(), (dump * np.arange(dump.size)).sum()) for dump in dumps] == RECORDED


@pytest.mark.parametrize("kind", [nn.ReLU, lambda: nn.MaxPool2d(2)])
def test_compat_has_a_range_for_what_reads_the_input_itself(kind):
    batches = pictures()
    network = quantisation.quantize(quantisation.prepare(nn.Sequential(kind()), batches[0]), "diana-compat")
    assert network.calibrate(batches).integerize().verify(batches).ties == 0
