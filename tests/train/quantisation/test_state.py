"""A quantised network is its weights: put into a new one they give the same outputs to the bit."""

import pytest
import torch
from small_networks import pictures, residual

from microstage import quantisation
from microstage.errors import ModelError
from microstage.quantisation.targets import target_names


def worked_on(network, batches):
    """Every pass that changes what is kept, retraining with learned scales among them."""
    network.calibrate(batches, "mse").correct_bias(batches).reestimate_norms(batches).adaround(batches, steps=5)
    with torch.no_grad():
        examples = [(batch, torch.tanh(network(batch)).detach() * 3) for batch in batches]
    return network.finetune(examples, epochs=1, rate=0.01)


@pytest.mark.parametrize("target", target_names())
def test_the_weights_of_a_worked_on_network_make_a_new_one_equal_without_calibration(target):
    batches, unseen = pictures(), pictures(seed=9, batches=1)[0]
    network = worked_on(quantisation.quantize(quantisation.prepare(residual(), batches[0]), target), batches)
    again = quantisation.quantize(quantisation.prepare(residual(), batches[0]), target)
    with pytest.raises(ModelError, match="calibrate"):
        again.integerize()
    again.load_weights(network.weights())
    assert torch.equal(again(unseen), network(unseen))
    assert (again.integerize().integers(unseen) == network.integerize().integers(unseen)).all()


def test_a_finetuned_network_is_the_same_each_time_and_keeps_its_best_epoch():
    batches = pictures()
    examples = [(batch, torch.ones(len(batch), 4)) for batch in batches]

    def finetuned(**settings):
        network = quantisation.quantize(quantisation.prepare(residual(), batches[0])).calibrate(batches)
        return network.finetune(examples, epochs=2, rate=0.003, seed=3, **settings)(batches[0])

    assert torch.equal(finetuned(), finetuned())
    before = quantisation.quantize(quantisation.prepare(residual(), batches[0])).calibrate(batches)(batches[0])
    ruined = [(batch, before.detach() if batch is batches[0] else torch.zeros(16, 4)) for batch in batches[:1]]
    assert torch.equal(finetuned(validation=ruined), before), "no epoch is better than none: none is kept"
