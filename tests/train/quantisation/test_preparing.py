"""Every form in which a layer is written gives integers; what has none is named with its place in the source."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from microstage import quantisation
from microstage.errors import ModelError, ParameterError
from microstage.quantisation import Target

_PICTURES, _VECTORS, _SERIES = (2, 3, 6, 6), (3, 12), (2, 4, 10)
_ANY_LAYER = replace(Target.load("diana-digital"), layers=None)


class Written(nn.Module):
    """A network whose forward is a function of itself and x."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.written = forward
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        return self.written(self, x)


def norm(channels, kind=nn.BatchNorm2d, **settings):
    made = kind(channels, **settings)
    made.running_mean.normal_(0, 0.3)
    made.running_var.uniform_(0.3, 2.0)
    return made


def conv(channels=3, out=4, **settings):
    return nn.Conv2d(channels, out, 3, **{"padding": 1, **settings})


def in_place_sum(net, x):
    y = net.c(x)
    y += net.d(x)
    F.relu(y, inplace=True)
    return net.e(y)


TWO = {"c": conv(), "d": conv()}
FORMS = {
    "relu": (lambda n, x: F.relu(n.c(x)), {"c": conv()}, _PICTURES),
    "relu_": (lambda n, x: torch.relu_(n.c(x)), {"c": conv()}, _PICTURES),
    "relu6": (lambda n, x: n.d(F.relu6(n.c(x))), {"c": conv(), "d": conv(4)}, _PICTURES),
    "in place": (in_place_sum, {**TWO, "e": conv(4)}, _PICTURES),
    "torch.add": (lambda n, x: torch.add(n.c(x), other=n.d(x)), TWO, _PICTURES),
    "add_": (lambda n, x: n.c(x).add_(n.d(x)), TWO, _PICTURES),
    "with itself": (lambda n, x: (lambda y: y + y)(n.c(x)), {"c": conv()}, _PICTURES),
    "cat": (
        lambda n, x: n.d(torch.cat([F.relu(n.c(x)), F.relu(n.e(x))], 1)),
        {**TWO, "d": conv(8), "e": conv()},
        _PICTURES,
    ),
    "max pool": (lambda n, x: F.max_pool2d(n.c(x), 3, 2, 1, ceil_mode=True), {"c": conv()}, _PICTURES),
    "average pool": (lambda n, x: n.p(n.c(x)), {"c": conv(), "p": nn.AvgPool2d(3, 2, 1)}, _PICTURES),
    "mean": (lambda n, x: n.l(n.c(x).mean([2, 3])), {"c": conv(), "l": nn.Linear(4, 3)}, _PICTURES),
    "mean kept": (lambda n, x: torch.mean(n.c(x), dim=(-2, -1), keepdim=True), {"c": conv()}, _PICTURES),
    "adaptive": (lambda n, x: F.adaptive_avg_pool2d(n.c(x), (None, 2)), {"c": conv()}, _PICTURES),
    "view": (lambda n, x: n.l(n.c(x).view(x.size(0), -1)), {"c": conv(), "l": nn.Linear(144, 3)}, _PICTURES),
    "reshape": (
        lambda n, x: n.l(torch.reshape(n.c(x), (x.shape[0], -1))),
        {"c": conv(), "l": nn.Linear(144, 3)},
        _PICTURES,
    ),
    "norm first": (lambda n, x: n.c(n.b(x)), {"b": norm(3), "c": conv()}, _PICTURES),
    "norm of a sum": (lambda n, x: n.b(n.c(x) + n.d(x)), {**TWO, "b": norm(4, affine=False)}, _PICTURES),
    "norm of vectors": (
        lambda n, x: n.b(F.relu(n.l(x))),
        {"l": nn.Linear(12, 5), "b": norm(5, nn.BatchNorm1d)},
        _VECTORS,
    ),
    "called twice": (
        lambda n, x: n.d(F.relu(n.b(n.d(F.relu(n.b(n.c(x))))))),
        {"c": conv(), "d": conv(4), "b": norm(4)},
        _PICTURES,
    ),
    "dropout": (lambda n, x: F.dropout(n.o(n.c(x)), 0.5, n.training), {"c": conv(), "o": nn.Dropout2d()}, _PICTURES),
    "series": (
        lambda n, x: n.l(n.a(n.m(F.relu(n.b(n.c(x))))).flatten(1)),
        {
            "c": nn.Conv1d(4, 6, 3, padding="same", bias=False),
            "b": norm(6, nn.BatchNorm1d),
            "m": nn.MaxPool1d(2),
            "a": nn.AdaptiveAvgPool1d(1),
            "l": nn.Linear(6, 3),
        },
        _SERIES,
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_becomes_integers_and_the_users_network_stays_as_it_is(form):
    torch.manual_seed(0)
    forward, layers, shape = FORMS[form]
    model, x = Written(forward, **copy.deepcopy(layers)), torch.randn(shape) * 4
    kept = copy.deepcopy(model.state_dict())
    prepared = quantisation.prepare(model, x)
    assert model.training and all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    torch.testing.assert_close(prepared(x), model.eval()(x.clone()), rtol=1e-4, atol=1e-4)
    integer = quantisation.quantize(prepared, _ANY_LAYER).calibrate([x], "max").integerize()
    integer.verify([x])
    real = model(x.clone()).detach()
    assert float((torch.from_numpy(integer.predict(x)) - real).norm() / real.norm()) < 0.1


REFUSED = {
    "nn.GELU (layer g)": (lambda n, x: n.g(n.c(x)), {"c": conv(), "g": nn.GELU()}, _PICTURES),
    "sigmoid": (lambda n, x: torch.sigmoid(n.c(x)), {"c": conv()}, _PICTURES),
    "Tensor.permute": (lambda n, x: n.c(x).permute(0, 2, 3, 1), {"c": conv()}, _PICTURES),
    "Adding a number": (lambda n, x: n.c(x) + 1, {"c": conv()}, _PICTURES),
    "add with alpha": (lambda n, x: torch.add(n.c(x), n.d(x), alpha=2), TWO, _PICTURES),
    "padding_mode='reflect'": (lambda n, x: n.c(x), {"c": conv(padding_mode="reflect")}, _PICTURES),
    "divisor_override": (lambda n, x: n.p(x), {"p": nn.AvgPool2d(2, divisor_override=3)}, _PICTURES),
    "several areas": (lambda n, x: n.p(x), {"p": nn.AvgPool2d(3, 1, 1, count_include_pad=False)}, _PICTURES),
    "from 6 x 6 to 4 x 4": (lambda n, x: F.adaptive_avg_pool2d(x, 4), {}, _PICTURES),
    "moves data between samples": (lambda n, x: n.c(x).view(-1, 12), {"c": conv()}, _PICTURES),
    "mean over 1": (lambda n, x: n.c(x).mean(1), {"c": conv()}, _PICTURES),
    "steps depend on its data": (lambda n, x: n.c(x) if x.sum() > 0 else x, {"c": conv(out=3)}, _PICTURES),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_integer_form_is_named_with_its_place(what):
    forward, layers, shape = REFUSED[what]
    with pytest.raises(ModelError) as refused:
        quantisation.prepare(Written(forward, **layers), torch.randn(shape))
    line = forward.__code__.co_firstlineno
    assert what in str(refused.value) and f'at "{__file__}", line {line}: "{what}": (lambda n, x: ' in str(
        refused.value
    )


def test_an_example_that_does_not_fit_is_one_sentence():
    with pytest.raises(ModelError, match="cannot be called with an example of 2 x 5 x 6 x 6: .*channels"):
        quantisation.prepare(Written(lambda n, x: n.c(x), c=conv()), torch.randn(2, 5, 6, 6))
    with pytest.raises(ModelError, match="returns tuple; one tensor"):
        quantisation.prepare(Written(lambda n, x: (x, x)), torch.randn(2, 3))


def test_inputs_that_do_not_fit_are_one_sentence():
    x = torch.randn(4, 3, 6, 6)
    network = quantisation.quantize(quantisation.prepare(Written(lambda n, x: n.c(x), c=conv()), x))
    with pytest.raises(ModelError, match="representative dataset holds numbers that are not finite"):
        network.calibrate([x, torch.full_like(x, torch.nan)])
    with pytest.raises(ModelError, match=r"input holds \[2, 3, 5, 5\]; the network takes batches \[n, 3, 6, 6\]"):
        network.calibrate(x).integerize().predict(torch.randn(2, 3, 5, 5))


@pytest.mark.parametrize(
    "settings, rule",
    [
        ({"kernel_size": 2, "padding": 0}, "kernel 2 x 2; allowed are 1, 3, 5, 7"),
        ({"padding": 0}, "padding .* allowed is half of the kernel"),
        ({"stride": 3}, "stride 3 x 3; allowed are 1, 2"),
        ({"dilation": 2, "padding": 2}, "dilation 2 x 2; allowed are 1"),
        ({"groups": 2}, "2 groups; allowed are 1 and the number of output channels, 8"),
    ],
)
def test_a_layer_that_the_target_has_not_is_named_with_its_rule(settings, rule):
    layer = nn.Conv2d(4, 8, **{"kernel_size": 3, "padding": 1, **settings})
    prepared = quantisation.prepare(Written(lambda n, x: n.c(x), c=layer), torch.randn(1, 4, 9, 9))
    with pytest.raises(ModelError, match=f"Target diana-digital has no such layer: c has {rule}"):
        quantisation.quantize(prepared)
    quantisation.quantize(prepared, "finn")


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda t: t["weights"].pop("bits"), "weights.bits is missing"),
        (lambda t: t.update(colour="red"), "colour is no field; expected name, summary"),
        (lambda t: t["weights"].update(bits="8"), "weights.bits is '8'; expected a whole number"),
        (lambda t: t["activations"].update(affine=1), "activations.affine is 1; expected true or false"),
        (lambda t: t.update(rounding="up"), "rounding is 'up'; expected one of half-up, half-even, floor, fixed-point"),
        (lambda t: t.update(shift=[0]), r"shift is \[0\]; expected a list of 2 whole numbers"),
        (lambda t: t.update(layers=3), "layers is 3; expected an object of fields"),
        (lambda t: t["weights"].update(bits=80), "weights.bits is 80; expected 2 to 8"),
        (lambda t: t["weights"].update(scale="real"), "shift needs weights.scale"),
    ],
)
def test_what_is_wrong_in_a_target_is_named(tmp_path, change, said):
    described = json.loads(json.dumps(Target.load("diana-digital").described()))
    change(described)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(described))
    with pytest.raises(ParameterError, match=f"^Target {path}: {said}"):
        Target.load(path)


def test_a_target_of_the_users_is_read_and_one_that_is_none_is_named(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(Target.load("finn").described()))
    assert Target.load(path) == Target.load("finn")
    path.write_text("{")
    with pytest.raises(ParameterError, match="Target .*mine.json: Expecting"):
        Target.load(path)
    with pytest.raises(
        ParameterError, match="TARGET=fin is none of cmsis-nn, diana-compat, diana-digital, finn, fpgai, tflite"
    ):
        Target.load("fin")
