"""What is made of two networks: the layer that was spoiled has a name, and the parts of an error sum up to it."""

import numpy as np
import pytest

from microstage.errors import ParameterError
from microstage.explaining.measuring import explained
from microstage.explaining.report import said
from microstage.explaining.twins import Computed, Twins

DEPTH, WIDTH, COUNT = 6, 12, 40


class Chain(Twins):
    """Layers of one matrix each, whose outputs integers hold in steps of their own."""

    floats, integers, samples, count, scores = "real numbers", "steps", "drawn vectors", COUNT, True

    def __init__(self, spoiled: str = "", step: float = 1 / 256, outside: float = 0.0) -> None:
        rng = np.random.default_rng(7)
        self.x = rng.normal(size=(COUNT, WIDTH))
        self.x[23] *= 20
        self.weights = {f"layer {k}": rng.normal(size=(WIDTH, WIDTH)) / WIDTH**0.5 for k in range(DEPTH)}
        self.steps = {name: 1 / 8 if name == spoiled else step for name in self.weights}
        self.outside = outside

    def in_integers(self, rows):
        found, value = {}, self.x[rows]
        for name, weight in self.weights.items():
            step = self.steps[name]
            value = found[name] = np.round(value @ weight / step) * step if step else value @ weight
        return Computed(found, value + self.outside)

    def in_floats(self, rows, given=None):
        found, value = {}, self.x[rows]
        for name, weight in self.weights.items():
            found[name] = value @ weight
            value = (given or {}).get(name, found[name])
        return Computed(found, value)


def explanation(twins, sample=None):
    return explained(twins, sample, lambda items, total, label: iter(items))


@pytest.mark.parametrize("spoiled", ["layer 1", "layer 4"])
def test_the_spoiled_layer_is_named_and_the_error_is_all_accounted_for(spoiled):
    found = explanation(Chain(spoiled), 17)
    assert found["noisiest"] == found["sample"]["largest"] == spoiled
    noise = {layer["layer"]: layer["by_itself_db"] for layer in found["layers"]}
    assert all(other > noise[spoiled] + 10 for name, other in noise.items() if name != spoiled)
    assert sum(layer["share"] for layer in found["sample"]["layers"]) == pytest.approx(1, abs=1e-4)
    assert found["sample"]["rest"]["share"] == pytest.approx(0, abs=1e-9)
    text = said(found)
    assert f"most of it comes from {spoiled}, " in text and "sample 17 (as asked):" in text and "margin" in text


def test_without_a_number_the_sample_that_errs_most_is_followed_and_what_no_layer_does_is_said():
    chain = Chain(outside=0.25)
    chain.steps["layer 0"] = 1 / 4
    errors = np.square(chain.in_integers(np.arange(COUNT)).answer - chain.in_floats(np.arange(COUNT)).answer).sum(1)
    found = explanation(chain)
    assert found["sample"]["index"] == int(errors.argmax())
    shares = sum(layer["share"] for layer in found["sample"]["layers"])
    assert shares + found["sample"]["rest"]["share"] == pytest.approx(1, abs=1e-4)
    assert found["sample"]["rest"]["share"] > 0.05 and "(outside of the layers)" in said(found)


def test_of_many_samples_some_are_looked_at_and_any_can_be_followed():
    chain = Chain()
    chain.most, chain.at_once = 7, 2
    found = explanation(chain)
    assert found["seen"] == 7 and found["sample"]["index"] == 13 and "samples: 7 of 40, drawn vectors" in said(found)
    assert explanation(chain, 23)["sample"]["index"] == 23


def test_integers_that_are_the_floats_have_no_error_to_explain():
    found = explanation(Chain(step=0.0))
    assert found["noisiest"] is None and found["sample"]["largest"] is None
    assert "exact" in said(found) and "floats and integers answer the same" in said(found)


@pytest.mark.parametrize("sample", [COUNT, 10**9])
def test_a_sample_that_there_is_not_is_refused(sample):
    said = f"SAMPLE={sample} is not there: expected 0 to 39; the samples are drawn vectors."
    with pytest.raises(ParameterError, match=said):
        explanation(Chain(), sample)
