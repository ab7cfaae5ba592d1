"""Roles of an interface.json: read as they are written, and refused in one sentence where they do not fit the parts."""

import pytest

from microstage.errors import ArtefactError
from microstage.interface.answer import PhasorMean
from microstage.interface.cepstra import Cepstra
from microstage.interface.gain import Gain
from microstage.interface.recurrence import Recurrence


def interface() -> dict:
    """Sound through an encoder, motion straight, into a cell of two states; the head takes a place beside."""

    def tensors(**shapes):
        return {name: {"shape": list(shape)} for name, shape in shapes.items()}

    return {
        "parts": {
            "ear": {"inputs": tensors(sound=(1, 2, 10)), "outputs": tensors(heard=(1, 5, 6))},
            "memory": {
                "inputs": tensors(h1=(1, 6), m1=(1, 3), a=(1, 7), b=(1, 7)),
                "outputs": tensors(a2=(1, 7), b2=(1, 7)),
            },
            "mouth": {"inputs": tensors(end=(1, 7), place=(1, 4)), "outputs": tensors(answer=(1, 2))},
        },
        "sequence": {
            "length": 5,
            "encoder": "ear",
            "cell": "memory",
            "head": "mouth",
            "steps": {"h1": "heard", "m1": "motion"},
            "states": {"a": "a2", "b": "b2"},
            "last": {"end": "a"},
        },
        "gain": {"inputs": {"sound": "pressure"}, "outputs": {"answer": "metres"}, "exponents": [-8, 8]},
    }


def test_what_is_read_is_what_was_written():
    said = interface()
    sequence, gain = Recurrence.read(said), Gain.read(said)
    assert sequence.described() == said["sequence"] and gain.described() == said["gain"] and gain.window == "sound"
    assert (
        sequence.parts == ("ear", "memory", "mouth")
        and sequence.recorded("memory", "a2") == "a"
        and sequence.recorded("ear", "a2") == "a2"
    )
    renamed = sequence.renamed({"memory": "step", "sound": "noise"})
    assert renamed.described() == {**said["sequence"], "cell": "step"}
    assert Recurrence.read({"parts": said["parts"]}) is None and Gain.read({}) is None


WRONG = {
    "no length": (lambda s: s["sequence"].pop("length"), "has no length"),
    "text for a number": (lambda s: s["sequence"].update(length="5"), "has length = '5'; expected int"),
    "no steps": (lambda s: s["sequence"].update(length=0), "expected 1 to"),
    "unknown field": (lambda s: s["sequence"].update(decoder="mouth"), "has a field decoder"),
    "unknown part": (lambda s: s["sequence"].update(head="nose"), "names a part nose; there are ear, memory, mouth"),
    "one part twice": (lambda s: s["sequence"].update(head="ear"), "gives one part two roles"),
    "an input without a role": (lambda s: s["sequence"]["steps"].pop("m1"), "a step or a state: see m1"),
    "an input with two": (lambda s: s["sequence"]["steps"].update(a="motion"), "a step or a state: see a"),
    "a state from nowhere": (lambda s: s["sequence"]["states"].update(b="c2"), "state b comes from c2"),
    "a state of another width": (
        lambda s: s["parts"]["memory"]["outputs"]["b2"].update(shape=[1, 6]),
        "no output of memory of its shape",
    ),
    "the last of no state": (lambda s: s["sequence"]["last"].update(end="h1"), "end is the last h1"),
    "names that are none": (lambda s: s["sequence"]["last"].update(end=3), "expected names by name"),
    "a gain of nothing": (lambda s: s["gain"]["inputs"].clear(), "has 0 inputs"),
    "a gain of an unknown window": (
        lambda s: s["gain"].update(inputs={"light": "lux"}),
        "names light, which is none of the inputs",
    ),
    "exponents the wrong way round": (lambda s: s["gain"].update(exponents=[8, -8]), "the lowest and the highest"),
    "no object": (lambda s: s.update(gain=[1]), "is no object"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_roles_that_do_not_fit_are_one_sentence(fault):
    spoil, said = WRONG[fault]
    described = interface()
    spoil(described)
    with pytest.raises(ArtefactError) as error:
        Recurrence.read(described)
        Gain.read(described)
    assert said in str(error.value) and "\n" not in str(error.value) and str(error.value).endswith(".")


def hearing() -> dict:
    """A network of one part that takes half a second of sound."""
    said = {
        "rate": 8000,
        "samples": 4000,
        "window": 200,
        "hop": 100,
        "transform": 256,
        "bands": 20,
        "lowest": 50,
        "highest": 4000.0,
    }
    features = {"input": "sound", **said, "floor": 1e-6, "coefficients": 5}
    return {"parts": {"ear": {"inputs": {"sound": {"shape": [1, 195]}}}}, "features": features}


WRONG_FEATURES = {
    "a transform that is none": ({"transform": 300}, r"transform of 2\^n"),
    "a window beyond it": ({"window": 400}, "in a transform and a second that hold it"),
    "bands beyond half the rate": ({"highest": 5000.0}, "half the rate"),
    "more coefficients than bands": ({"coefficients": 21}, "at most as many coefficients"),
    "another number of frames": ({"hop": 80}, r"have 48 frames of 5, but sound is \[1, 195\]"),
    "another input": ({"input": "light"}, "are of light, which is none of the inputs: sound"),
    "text for a number": ({"floor": "0"}, "floor = '0'; expected float"),
}


@pytest.mark.parametrize("fault", WRONG_FEATURES)
def test_features_that_do_not_fit_are_one_sentence(fault):
    change, sentence = WRONG_FEATURES[fault]
    said = hearing()
    assert Cepstra.read(said).described() == {**said["features"], "lowest": 50.0}
    with pytest.raises(ArtefactError, match=sentence):
        Cepstra.read({**said, "features": {**said["features"], **change}})


def carrying() -> dict:
    """A network whose encoder and head carry states: an estimate of the step before, a sum and a count."""

    def tensors(**shapes):
        return {name: {"shape": list(shape), "range": [0, 63]} for name, shape in shapes.items()}

    return {
        "parts": {
            "ear": {"inputs": tensors(sound=(1, 8), level_1=(1, 2)), "outputs": tensors(heard=(1, 1, 6), level=(1, 2))},
            "memory": {"inputs": tensors(h1=(1, 6), a=(1, 7)), "outputs": tensors(a2=(1, 7))},
            "mouth": {
                "inputs": tensors(end=(1, 7), level=(1, 2), sum=(1, 2), count=(1, 2)),
                "outputs": tensors(more=(1, 2), sum2=(1, 2), count2=(1, 2)),
            },
        },
        "sequence": {
            "length": 5,
            "encoder": "ear",
            "cell": "memory",
            "head": "mouth",
            "steps": {"h1": "heard"},
            "states": {"a": "a2"},
            "last": {"end": "a"},
            "carried": {"level_1": "level", "sum": "sum2", "count": "count2"},
        },
        "gain": {
            "inputs": {"sound": "pressure"},
            "outputs": {"loudness": "pascals"},
            "exponents": [-8, 8],
            "scaled": ["level_1", "sum"],
        },
        "answer": {"name": "loudness", "sum": "sum2", "count": "count2", "correction": "more", "most": 16},
    }


def test_carried_states_and_the_mean_are_read_as_they_were_written():
    said = carrying()
    sequence, gain, mean = Recurrence.read(said), Gain.read(said), PhasorMean.read(said)
    assert (sequence.described(), gain.described(), mean.described()) == (
        said["sequence"],
        said["gain"],
        said["answer"],
    )
    assert sequence.recorded("mouth", "sum2") == "sum2" and sequence.recorded("memory", "a2") == "a"


WRONG_CARRIED = {
    "of another shape": (
        lambda s: s["parts"]["mouth"]["inputs"]["sum"].update(shape=[1, 3]),
        "says that sum is carried from sum2",
    ),
    "of the cell": (lambda s: s["sequence"]["carried"].update(level_1="a2"), "says that level_1 is carried from a2"),
    "into nothing": (
        lambda s: s["sequence"]["carried"].update(level_2="level"),
        "says that level_2 is carried from level",
    ),
    "a gain of what is not carried": (
        lambda s: s["gain"].update(scaled=["end"]),
        "scales end, which is none of the carried states",
    ),
    "a gain of no names": (lambda s: s["gain"].update(scaled=[1]), "has scaled = [1]; expected names"),
    "a gain of no answer": (lambda s: s.pop("answer"), "names loudness, which is none of the outputs"),
    "an answer that is an output": (
        lambda s: s["answer"].update(name="more"),
        "is called more, which is an output of the graphs already",
    ),
    "an answer of no output": (
        lambda s: s["answer"].update(correction="end"),
        "names end, which is none of the outputs",
    ),
    "a sum that is not kept": (lambda s: s["answer"].update(sum="more"), "names more, which is not carried"),
    "a mean of nothing": (lambda s: s["answer"].update(most=1), "has most = 1; expected 2 to"),
}


@pytest.mark.parametrize("fault", WRONG_CARRIED)
def test_carried_states_and_means_that_do_not_fit_are_one_sentence(fault):
    spoil, sentence = WRONG_CARRIED[fault]
    described = carrying()
    spoil(described)
    with pytest.raises(ArtefactError) as error:
        for role in (Recurrence, PhasorMean, Gain):
            role.read(described)
    assert sentence in str(error.value) and "\n" not in str(error.value) and str(error.value).endswith(".")
