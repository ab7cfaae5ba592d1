"""The network: its faults of old stay away, and its convolution is the framework's."""

import pytest
import torch

from microstage.errors import ModelError, ParameterError
from microstage.models.harmonic.definition import HarmonicDefinition
from microstage.models.harmonic.network import FloatTwin, HarmonicNetwork

SMALL = dict(cnn_channels=4, cnn_kernel=8, hidden=6, head_width=5)


@pytest.mark.parametrize("cycles,samples,steps", [(0.1, 6, 2), (0.25, 16, 3), (0.5, 32, 7), (1, 64, 15), (2, 128, 31), (4, 256, 63)])
def test_shapes_follow_cycles_and_channels_do_not_grow(cycles, samples, steps):
    d = HarmonicDefinition(cycles=cycles, **SMALL)
    network = HarmonicNetwork(d).eval()
    assert (d.samples, d.steps, d.features) == (samples, steps, 4)
    assert network.cnn(torch.zeros(2, 1, samples)).shape == (2, steps, 4)
    assert network(torch.zeros(2, 1, samples)).shape == FloatTwin(d).eval()(torch.zeros(2, 1, samples)).shape == (2, 4)


def test_too_short_a_window_is_refused():
    with pytest.raises(ParameterError, match="gives 2 samples"):
        HarmonicDefinition(cycles=0.03)


def test_features_and_hidden_share_the_lstms_io_quantiser_and_the_cnn_has_no_other():
    network = HarmonicNetwork(HarmonicDefinition(**SMALL))
    layer = network.lstm.layers[0][0]
    assert layer.io_quant is layer.cell.output_quant
    proxies = [(n, m) for n, m in network.cnn.named_modules() if type(m).__name__.startswith("ActQuantProxy")]
    assert [name for name, proxy in proxies if proxy.is_quant_enabled] == ["act1.act_quant"]


def test_the_output_bias_has_the_accumulators_scale():
    network = HarmonicNetwork(HarmonicDefinition(**SMALL))
    network(torch.randn(64, 1, 32).clamp(-1, 1))
    network.eval()
    head = network.heads[0]
    hidden = network.lstm(network.cnn(torch.randn(8, 1, 32).clamp(-1, 1)))[0][:, -1]
    act = head.act(head.bn(head.linear(hidden)))
    bias = head.out.bias_quant(head.out.bias, act.scale * head.out.quant_weight().scale, torch.tensor(32.0))
    levels = bias.value / (act.scale * head.out.quant_weight().scale)
    assert torch.allclose(levels, levels.round(), atol=1e-3)


@pytest.mark.parametrize("stride,history,kernel", [(1, 0, 3), (2, 7, 8), (2, 30, 32)])
def test_convolution_by_matrix_product_is_the_frameworks_own(stride, history, kernel):
    from microstage.models.harmonic.network import _LookingBack

    torch.manual_seed(0)
    layer = _LookingBack(3, 5, kernel, 8, stride, history)
    x = torch.randn(4, 3, 40, requires_grad=True)
    weight = layer.quant_weight().value.detach()
    expected = torch.nn.functional.conv1d(torch.nn.functional.pad(x, (history, 0)), weight, stride=stride)
    found = layer(x)
    assert torch.allclose(found, expected, atol=1e-5)
    (found.square().sum()).backward()
    slope, x.grad = x.grad.clone(), None
    expected.square().sum().backward()
    assert torch.allclose(slope, x.grad, atol=1e-3)


def test_the_last_position_sees_the_whole_half_cycle():
    d = HarmonicDefinition(cycles=0.5, cnn_channels=8, cnn_kernel=32, hidden=6, head_width=5)
    twin = FloatTwin(d)
    t = torch.arange(32) / 64
    for order in (1, 3, 5, 7):
        wave = torch.cos(2 * torch.pi * order * t)[None, None]
        seen = torch.nn.functional.conv1d(wave, twin.cnn.conv1.weight)[0, :, 0].abs()
        loudest = [(1, 3, 5, 7)[k % 4] for k in torch.topk(seen, 1).indices.tolist()]
        assert loudest == [order]


def test_weights_of_another_shape_are_refused():
    small, other = HarmonicNetwork(HarmonicDefinition(**SMALL)), HarmonicNetwork(HarmonicDefinition(**{**SMALL, "hidden": 7}))
    with pytest.raises(ModelError, match="do not fit the definition"):
        other.load_weights(small.weights())
    with pytest.raises(ModelError, match="missing or foreign"):
        small.load_weights({**small.weights(), "more": torch.zeros(1)})
