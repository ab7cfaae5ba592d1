"""The network: its scales are as said, its steps are those of the integers, its old faults stay away."""

import numpy as np
import pytest
import torch
from definitions import harmonic_definition

from microstage.errors import ModelError, ParameterError
from microstage.models.harmonic.definition import ESTIMATE_SCALE, LARGEST_ESTIMATE, MOST
from microstage.models.harmonic.network import FloatTwin, HarmonicNetwork
from microstage.models.harmonic.train import extremes
from microstage.models.harmonic.wired import half_cycle
from microstage.signals import EXPONENTS, block_float, half_cycle_coefficients
from microstage.signals.settle import RunningMean, Settling

SMALL = dict(cnn_channels=4, cnn_features=4, cnn_kernel=8, hidden=6, head_width=5)


def sequences(waveform, definition):
    """Waveforms [n, L * S] as the network takes them: windows over their gains, shifts of the gain."""
    ints, exponent = block_float(
        waveform.reshape(len(waveform), -1, definition.samples), EXPONENTS, definition.window_bits
    )
    shift = np.diff(exponent.astype(int), axis=1, prepend=exponent[:, :1].astype(int))
    return torch.from_numpy(ints.astype(np.float32)) * definition.window_scale, torch.from_numpy(
        shift.astype(np.float32)
    )


def network(definition, seed=0):
    """In eval mode, with heads that restart the mean now and then."""
    torch.manual_seed(seed)
    made = HarmonicNetwork(definition)
    window = torch.randn(16, 8, definition.samples).clamp(-1, 1)
    with torch.no_grad():
        made.estimate.conv.weight.copy_(torch.from_numpy(half_cycle(definition.samples).rounded())[:, None])
        for _ in range(40):  # until every scale is a parameter
            made.sequence(window, torch.zeros(16, 8))
        for head in made.heads:
            head.keep.weight.normal_(0, 2)
            head.keep.bias.fill_(0.6)
    return made.eval()


@pytest.mark.parametrize(
    "cycles,samples,steps",
    [(0.1, 6, 1), (0.25, 16, 1), (0.5, 32, 1), (0.75, 48, 1), (1, 32, 2), (1.5, 32, 3), (4, 32, 8)],
)
def test_whole_half_cycles_are_steps_and_anything_else_is_one(cycles, samples, steps):
    d = harmonic_definition(cycles=cycles, **SMALL)
    assert (d.samples, d.steps, d.features) == (samples, steps, 12)
    answers = [
        form(d).eval().sequence(torch.zeros(2, 3, samples), torch.zeros(2, 3)) for form in (HarmonicNetwork, FloatTwin)
    ]
    assert [a.amplitudes.shape for a in answers] == [(2, 3, 4)] * 2


def test_too_short_a_window_is_refused():
    with pytest.raises(ParameterError, match="gives 2 samples"):
        harmonic_definition(cycles=0.03)


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_the_wired_scales_are_powers_of_two_and_estimates_exact(bits):
    d = harmonic_definition(window_bits=bits, **SMALL)
    made = network(d)
    kernels = made.estimate.conv.quant_weight()
    assert (kernels.scale, made.estimate.act.quant_act_scale(), made.keep.quant_act_scale()) == (
        2.0**-11,
        ESTIMATE_SCALE,
        1.0,
    )
    ints, _ = block_float(extremes(d.samples, 4).reshape(-1, 32), EXPONENTS, bits)
    sums = ints.astype(np.int64) @ np.rint(kernels.value.detach().numpy()[:, 0].T * 2.0**11).astype(np.int64)
    levels = np.rint(sums * (d.window_scale * 2.0**-11 / ESTIMATE_SCALE)).clip(-LARGEST_ESTIMATE, LARGEST_ESTIMATE)
    window = torch.from_numpy(ints.astype(np.float32))[:, None] * d.window_scale
    assert np.array_equal(made.estimate(window).detach().numpy(), levels * ESTIMATE_SCALE)


@pytest.mark.parametrize("form", [HarmonicNetwork, FloatTwin])
def test_untrained_it_is_the_half_cycle_dft(form):
    d = harmonic_definition(**SMALL)
    torch.manual_seed(0)
    twin, made = FloatTwin(d), HarmonicNetwork(d)
    phase, sizes = 2 * np.pi * np.random.default_rng(0).random((64, 4, 1)), np.array([30.0, 4.0, 2.0, 1.0])
    t = np.arange(32) / 64
    waves = (sizes[:, None] * np.cos(2 * np.pi * np.array([[1], [3], [5], [7]]) * t + phase)).sum(1)
    window, shift = sequences(waves, d)
    made.start_from(twin, window, shift)
    gain = np.ldexp(1.0, block_float(waves)[1].astype(int))[:, None]
    found = (made if form is HarmonicNetwork else twin).eval().sequence(window, shift)
    assert not found.correction.any()
    assert np.abs(found.amplitudes.detach().numpy()[:, 0] * gain - sizes).max() < 0.04


@pytest.mark.parametrize("cycles", [0.5, 0.25])
def test_a_sequence_is_its_steps_and_between_them_the_integers_settle(cycles):
    d = harmonic_definition(cycles=cycles, **SMALL)
    made = network(d)
    rng = np.random.default_rng(1)
    steady = rng.normal(size=(12, 130 * d.samples)) * np.ldexp(1.0, rng.integers(-6, 7, (12, 130))).repeat(
        d.samples, axis=1
    )
    window, shift = sequences(np.concatenate([steady, extremes(d.samples, 130)]), d)
    with torch.no_grad():
        found = made.sequence(window, shift)
    tops = {"estimate_1": LARGEST_ESTIMATE, "sum": MOST * LARGEST_ESTIMATE}
    settling = Settling(tops, RunningMean("sum", "count", MOST, LARGEST_ESTIMATE))
    levels = {
        name: (getattr(found, name).numpy() / scale).astype(np.int64)
        for name, scale in (("estimate", ESTIMATE_SCALE), ("sum", ESTIMATE_SCALE), ("count", 1.0))
    }
    keep = found.keep.numpy().astype(np.int64)
    assert set(np.unique(keep)) == {0, 1} and (levels["count"] == MOST).any()
    for t in range(1, 130):
        before = {
            "estimate_1": levels["estimate"][:, t - 1],
            "sum": levels["sum"][:, t - 1],
            "count": levels["count"][:, t - 1],
        }
        settled = settling.between(before, shift[:, t].numpy())
        assert np.array_equal(levels["sum"][:, t], np.tile(keep[:, t], 2) * settled["sum"] + levels["estimate"][:, t])
        assert np.array_equal(levels["count"][:, t], keep[:, t] * settled["count"] + 1)
    zero = torch.zeros(len(window), 8)
    with torch.no_grad():
        correction, estimate, total, count = made(window[:, :1], zero, zero, zero[:, :4])
    assert torch.allclose(correction, found.correction[:, 0], atol=1e-6)
    for one, name in ((estimate, "estimate"), (total, "sum"), (count, "count")):
        assert torch.equal(one, getattr(found, name)[:, 0])


def test_it_starts_where_the_dft_and_a_fit_with_a_constant_differ_and_restarts_at_a_step():
    twin = FloatTwin(harmonic_definition()).eval()
    t = np.arange(16 * 32) / 64
    wave = 0.5 * np.cos(2 * np.pi * t + 1) + 0.02 * np.cos(6 * np.pi * t) + 0.01 * np.cos(10 * np.pi * t + 2)
    waves = np.stack([wave, wave + 0.05, np.where(t < 4, wave, 1.2 * wave)])
    window = torch.from_numpy(waves.reshape(3, 16, 32)).float()
    found = twin.sequence(window, torch.zeros(3, 16))
    features = twin.features(window, torch.zeros(3, 16)).detach().numpy()[:, 0, :4]
    dft = np.abs(half_cycle_coefficients(waves.reshape(3, 16, 32)))[:, 0]
    gains = np.array([12.0, 48.0, 48.0, 48.0])
    assert np.abs(features[0]).max() < 1e-3
    assert np.abs(features[1] / gains + (dft[1] - dft[0])).max() < 4e-3 and np.abs(dft[1] - dft[0])[0] > 0.04
    assert not found.correction.any()
    assert found.keep[0, 1:].all() and found.count[2, 8, 0] == 1 and found.count[2, 15, 0] == 8


def test_features_and_hidden_share_the_lstms_io_quantiser_and_the_encoder_has_no_other():
    made = HarmonicNetwork(harmonic_definition(**SMALL))
    layer = made.lstm.layers[0][0]
    assert layer.io_quant is layer.cell.output_quant
    parts = [*made.cnn.named_modules(), *made.estimate.named_modules()]
    quantised = [name for name, m in parts if type(m).__name__.startswith("ActQuantProxy") and m.is_quant_enabled]
    assert quantised == ["act1.act_quant", "act.act_quant"]  # of the convolution, and of the estimate


def test_the_output_bias_has_the_accumulators_scale():
    made = network(harmonic_definition(**SMALL))
    head = made.heads[0]
    act = head.act(head.bn(head.linear(torch.randn(8, 6).clamp(-1, 1))))
    for layer in (head.out, head.keep):
        scale = act.scale * layer.quant_weight().scale
        levels = layer.bias_quant(layer.bias, scale, torch.tensor(32.0)).value / scale
        assert torch.allclose(levels, levels.round(), atol=1e-3)


@pytest.mark.parametrize("stride,kernel", [(1, 3), (2, 8), (4, 32)])
def test_convolution_by_matrix_product_is_the_frameworks_own(stride, kernel):
    from microstage.models.harmonic.network import _Conv, _weight

    torch.manual_seed(0)
    layer = _Conv(3, 5, kernel, stride, _weight(8))
    x = torch.randn(4, 3, 40, requires_grad=True)
    expected = torch.nn.functional.conv1d(x, layer.quant_weight().value.detach(), stride=stride)
    found = layer(x)
    assert torch.allclose(found, expected, atol=1e-5)
    found.square().sum().backward()
    slope, x.grad = x.grad.clone(), None
    expected.square().sum().backward()
    assert torch.allclose(slope, x.grad, atol=1e-3)


def test_weights_of_another_shape_are_refused():
    small, other = (
        HarmonicNetwork(harmonic_definition(**SMALL)),
        HarmonicNetwork(harmonic_definition(**{**SMALL, "hidden": 7})),
    )
    with pytest.raises(ModelError, match="do not fit the definition"):
        other.load_weights(small.weights())
    with pytest.raises(ModelError, match="missing or foreign"):
        small.load_weights({**small.weights(), "more": torch.zeros(1)})
