"""The fused LSTM against brevitas'.

The same bits forward, the same gradient of every parameter, through every phase of training.
"""

import copy

import pytest
import torch
from quant_lstms import collecting, learned

from microstage.models.fused_lstm import fuse

CLOSE = 1e-4


def pass_through(lstm, x, states=None):
    """(h of every step, last h, last c, {parameter: gradient, "x": gradient}) of a loss that reads all three."""
    x = x.detach().clone().requires_grad_()
    lstm.zero_grad(set_to_none=True)
    y, (h, c) = lstm(x) if states is None else lstm(x, *states)
    h, c = getattr(h, "value", h), getattr(c, "value", c)  # of a stack
    pull = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y).sin()
    ((y * pull).sum() + (h * 2).sum() + (c * 0.5).sum()).backward()
    return y.detach(), h.detach(), c.detach(), {"x": x.grad} | {n: p.grad for n, p in lstm.named_parameters()}


def assert_same(stock, fused, x, states=None):
    """Values to the bit; gradients to 1e-4 of stock's in double precision, whose own float32 sums cancel to 1e-3."""
    exact = copy.deepcopy(stock).double()
    found, given = pass_through(fused, x, states), pass_through(stock, x, states)
    assert all(torch.equal(a, b) for a, b in zip(found[:3], given[:3]))
    doubled = None if states is None else tuple(s.double() for s in states)
    ideal = pass_through(exact, x.double(), doubled)[3]
    assert found[3].keys() == ideal.keys()
    for name, wanted in ideal.items():
        stocks_own = (given[3][name].double() - wanted).norm() / wanted.norm().clamp_min(1e-9)
        off = (found[3][name].double() - wanted).norm() / wanted.norm().clamp_min(1e-9)
        assert off <= max(CLOSE, 2 * float(stocks_own)), (
            f"{name}: {float(off):.1e}, stock itself {float(stocks_own):.1e}"
        )


def fused_copy(stock):
    twin = fuse(copy.deepcopy(stock))
    assert all(
        layer.forward.__self__ is not None for direction in stock.layers for layer in direction
    )  # stock stays stock
    return twin


@pytest.mark.parametrize("kind", [{}, {"bits": 4}, {"batch_first": False}, {"bidirectional": True}, {"num_layers": 2}])
def test_values_and_gradients_are_stocks(kind):
    stock = learned(16, 8, **kind).train()
    x = torch.randn(12, 9, 16) * 0.7
    assert_same(stock, fused_copy(stock), x)


def test_it_is_the_fused_pass_that_runs(monkeypatch):
    lstm = fuse(learned(16, 8))
    layer = lstm.layers[0][0]
    monkeypatch.setattr(layer.forward, "_stock", None)
    lstm(torch.randn(2, 3, 16))


def test_given_states():
    stock = learned(16, 8).train()
    states = torch.rand(1, 12, 8) - 0.5, torch.rand(1, 12, 8) - 0.5
    assert_same(stock, fused_copy(stock), torch.randn(12, 9, 16) * 0.7, states)


def test_during_and_after_statistics_collection():
    stock = collecting(16, 8, steps=20).train()  # a quantiser inside the cell counts every time step
    fused = fused_copy(stock)
    for batch in range(6):
        torch.manual_seed(batch)
        x = torch.randn(12, 9, 16) * 0.7
        found, given = pass_through(fused, x), pass_through(stock, x)
        assert all(torch.equal(a, b) for a, b in zip(found[:3], given[:3])), f"batch {batch}"
        if batch >= 4:
            assert_same(stock, fused, x)


def test_training_moves_both_alike():
    stock = learned(16, 8).train()
    fused = fused_copy(stock)
    optimisers = [torch.optim.SGD(lstm.parameters(), lr=0.01) for lstm in (stock, fused)]
    for step in range(5):
        torch.manual_seed(step)
        x = torch.randn(12, 9, 16) * 0.7
        for lstm, optimiser in zip((stock, fused), optimisers):
            optimiser.zero_grad()
            lstm(x)[0].square().mean().backward()
            optimiser.step()
    for (name, a), b in zip(stock.named_parameters(), fused.parameters()):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-7), name


def test_without_gradients_it_is_the_same():
    stock = learned(16, 8).eval()
    x = torch.randn(5, 4, 16)
    with torch.no_grad():
        assert torch.equal(fused_copy(stock)(x)[0], stock(x)[0])


def test_coupled_gates_fall_back_to_stock():
    stock = learned(16, 8, coupled_input_forget_gates=True).train()
    x = torch.randn(12, 9, 16)
    assert torch.equal(pass_through(fused_copy(stock), x)[0], pass_through(stock, x)[0])
