"""The networks of the zoo: as published; what FPGAI's files say of a layer is what its integers are."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from microstage import quantisation
from microstage.errors import IntegrityError
from microstage.fpgai.of_integers import has_such_layers, layers_of
from microstage.fpgai.state import read_tuple, write_tuple
from microstage.models.floats import training as float_training
from microstage.models.floats.weights import floats_in
from microstage.models.training import Examples, Splits
from microstage.models.zoo import MODELS
from microstage.models.zoo.networks import float_network
from microstage.models.zoo.train import Training
from microstage.quantisation.integers.operations import Product, Requantise

SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}
WEIGHTS = {  # of ten classes, as published for these pictures; batch norms and biases left out
    "lenet": 61_470,
    "resnet18": 11_164_352,
    "resnet34": 21_265_088,
    "resnet50": 23_467_712,
    "vgg11": 9_222_848,
    "vgg16": 14_715_584,
    "mobilenet_v2": 2_202_560 + 1_024,  # the first block expands by 1, as FPGAI has it, with a convolution
}
LAYERS = {
    "lenet": 5,
    "resnet18": 18 + 3,
    "resnet34": 34 + 3,
    "resnet50": 50 + 4,
    "vgg11": 9,
    "vgg16": 14,
    "mobilenet_v2": 54,
}


def made(model, dataset, width):
    return float_network({"model": model, "dataset": dataset, "width": width})


def with_weights(network):
    return [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]


@pytest.mark.parametrize("model", MODELS)
def test_a_network_has_its_published_size(model):
    layers = with_weights(made(model, "mnist" if model == "lenet" else "cifar10", MODELS[model]["width"]))
    assert sum(layer.weight.numel() for layer in layers) == WEIGHTS[model]
    assert len(layers) == LAYERS[model], "shortcuts of 1 x 1 come on top of what a name counts"


@pytest.mark.parametrize("dataset", SHAPES)
@pytest.mark.parametrize("model", MODELS)
def test_any_network_takes_either_kind_of_picture(model, dataset):
    assert made(model, dataset, 4).eval()(torch.zeros(2, *SHAPES[dataset])).shape == (2, 10)


@pytest.mark.parametrize("dataset, stride", [("cifar10", 1), ("mnist", 2)])
def test_mobilenet_v2_convolves_channels_alone_and_halves_later_on_cifar10(dataset, stride):
    alone = [block.depthwise[0] for block in made("mobilenet_v2", dataset, 32).blocks]
    assert len(alone) == 17 and all(conv.groups == conv.in_channels == conv.out_channels for conv in alone)
    assert [conv.stride[0] for conv in alone[:4]] == [1, stride, 1, 2], "behind the block of (6, 24, 2, 2)"


@pytest.fixture(scope="module")
def integers():
    """A small LeNet in the integers of FPGAI's target."""
    torch.manual_seed(1)
    network, batch = made("lenet", "mnist", 3), torch.rand(4, 1, 28, 28) * 2 - 1
    quantised = quantisation.quantize(quantisation.prepare(network, batch[:2]), "fpgai")
    made_of = quantised.calibrate([batch]).correct_bias([batch]).integerize()
    assert made_of.verify([batch]).ties == 0
    return made_of


def test_a_line_of_three_numbers_says_what_a_layer_computes(integers):
    layers = layers_of(integers)
    products = {one.layer: one for one in integers.operations if isinstance(one, Product)}
    readers = {one.inputs[0]: one for one in integers.operations if isinstance(one, Requantise)}
    assert list(layers) == list(products) and len(layers) == LAYERS["lenet"]
    sums = np.random.Generator(np.random.PCG64(1)).integers(-(2**22), 2**22, (1, 1, 20000))
    for name, layer in layers.items():
        product, reader = products[name], readers[products[name].output]
        assert np.array_equal(layer.weight.astype(int) - layer.zero_point, product.weight)
        assert layer.zero_point == 128 and layer.scale <= 255 and np.array_equal(layer.bias, product.bias)
        assert np.array_equal(layer.requantised(sums).clip(reader.lowest, reader.highest), reader.run(sums))


def test_the_tuple_is_read_by_torch_and_without_running_anything(integers, tmp_path):
    layers, path = layers_of(integers), tmp_path / "lenet_quant.tuple"
    write_tuple(path, layers)
    state, numbers = torch.load(path)
    assert list(state)[:2] == ["c1.weight", "c1.bias"] and state["c1.weight"].dtype == torch.uint8
    assert numbers[:3] == list(layers["c1"].numbers) and len(numbers) == 3 * len(layers)
    assert read_tuple(path) == layers
    torch.save((state, numbers[:-1]), path)
    with pytest.raises(IntegrityError, match=r"14 numbers; expected a weight, a bias and three numbers"):
        read_tuple(path)
    torch.save((state, [300, *numbers[1:]]), path)
    with pytest.raises(IntegrityError, match="whole numbers from 0 to 255"):
        read_tuple(path)
    torch.save((state, [1, 63, *numbers[2:]]), path)
    with pytest.raises(IntegrityError, match="a shift beyond 62"):
        read_tuple(path)
    torch.save(({**state, "c1.bias": torch.zeros(3)}, numbers), path)
    with pytest.raises(IntegrityError, match="c1.bias is torch.float32; expected whole numbers"):
        read_tuple(path)


def test_targets_of_other_layers_have_no_such_files():
    having = [name for name in quantisation.targets.target_names() if has_such_layers(quantisation.Target.load(name))]
    assert having == ["fpgai"]


def test_the_float_network_is_found_under_either_name(tmp_path):
    assert floats_in(tmp_path).name == "float_model_weight.pth"
    (tmp_path / "lenet_raw.pth").touch()
    assert floats_in(tmp_path).name == "lenet_raw.pth"


def test_golden_vectors_are_as_many_as_fit_but_sixteen(integers, monkeypatch):
    octets = 4 * 784 + sum(int(np.prod(integers.shapes[name])) for name in integers.levels)
    for wanted, allowed in ((16, 3 * octets), (40, 40 * octets), (256, 1000 * octets)):
        monkeypatch.setattr(float_training, "_GOLDEN_OCTETS", allowed)
        training = Training.__new__(Training)
        training.network = SimpleNamespace(integerize=lambda: integers)
        pictures = Examples(torch.zeros(300, 1, 28, 28), torch.zeros(300, dtype=torch.long))
        training.splits = Splits(pictures, pictures, pictures)
        assert training.replayed()["real"].sum() == wanted
