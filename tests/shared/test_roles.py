"""Roles of an interface.json: read as they are written, and refused in one sentence where they do not fit the parts."""

import pytest

from microstage.cepstra import Cepstra
from microstage.errors import ArtefactError
from microstage.roles import Gain, Sequence


def interface() -> dict:
    """Sound through an encoder, motion straight, into a cell of two states; the head takes a place beside."""
    def tensors(**shapes):
        return {name: {"shape": list(shape)} for name, shape in shapes.items()}

    return {
        "parts": {
            "ear": {"inputs": tensors(sound=(1, 2, 10)), "outputs": tensors(heard=(1, 5, 6))},
            "memory": {"inputs": tensors(h1=(1, 6), m1=(1, 3), a=(1, 7), b=(1, 7)), "outputs": tensors(a2=(1, 7), b2=(1, 7))},
            "mouth": {"inputs": tensors(end=(1, 7), place=(1, 4)), "outputs": tensors(answer=(1, 2))},
        },
        "sequence": {"length": 5, "encoder": "ear", "cell": "memory", "head": "mouth", "steps": {"h1": "heard", "m1": "motion"},
                     "states": {"a": "a2", "b": "b2"}, "last": {"end": "a"}},
        "gain": {"inputs": {"sound": "pressure"}, "outputs": {"answer": "metres"}, "exponents": [-8, 8]},
    }


def test_what_is_read_is_what_was_written():
    said = interface()
    sequence, gain = Sequence.read(said), Gain.read(said)
    assert sequence.described() == said["sequence"] and gain.described() == said["gain"] and gain.window == "sound"
    assert sequence.parts == ("ear", "memory", "mouth") and sequence.recorded("memory", "a2") == "a" and sequence.recorded("ear", "a2") == "a2"
    renamed = sequence.renamed({"memory": "step", "sound": "noise"})
    assert renamed.described() == {**said["sequence"], "cell": "step"}
    assert Sequence.read({"parts": said["parts"]}) is None and Gain.read({}) is None


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
    "a state of another width": (lambda s: s["parts"]["memory"]["outputs"]["b2"].update(shape=[1, 6]), "no output of memory of its shape"),
    "the last of no state": (lambda s: s["sequence"]["last"].update(end="h1"), "end is the last h1"),
    "names that are none": (lambda s: s["sequence"]["last"].update(end=3), "expected names by name"),
    "a gain of nothing": (lambda s: s["gain"]["inputs"].clear(), "has 0 inputs"),
    "a gain of an unknown window": (lambda s: s["gain"].update(inputs={"light": "lux"}), "names light, which is none of the inputs"),
    "exponents the wrong way round": (lambda s: s["gain"].update(exponents=[8, -8]), "the lowest and the highest"),
    "no object": (lambda s: s.update(gain=[1]), "is no object"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_roles_that_do_not_fit_are_one_sentence(fault):
    spoil, said = WRONG[fault]
    described = interface()
    spoil(described)
    with pytest.raises(ArtefactError) as error:
        Sequence.read(described)
        Gain.read(described)
    assert said in str(error.value) and "\n" not in str(error.value) and str(error.value).endswith(".")


def hearing() -> dict:
    """A network of one part that takes half a second of sound."""
    said = {"rate": 8000, "samples": 4000, "window": 200, "hop": 100, "transform": 256, "bands": 20, "lowest": 50, "highest": 4000.0}
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
