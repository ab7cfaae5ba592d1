"""Names of networks in any spelling: what stages and keys see is the declared name."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import REPOSITORY

from microstage.errors import ParameterError
from microstage_runner.artefacts.recipe import key_of
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.selection import select

STAGES = load_stages(REPOSITORY)
NAMES = STAGES["train"].parameters["model"].choices
TWINS = {"mobilenetv2", "mobilenet_v2"}  # of two families, and one name but for a _


@st.composite
def spelt(draw) -> tuple[str, str]:
    """A declared name, and the same with its widths in another form and place, other capitals and separators."""
    name = draw(st.sampled_from(NAMES))
    parts = re.split("[-_]", name)
    if found := re.fullmatch(r"(\d)w(\d)a|w(\d)a(\d)", parts[-1]):
        w, a = (bits for bits in found.groups() if bits)
        forms = [f"{w}w{a}a", f"w{w}a{a}", f"a{a}w{w}", f"{a}a{w}w", f"w{w}-a{a}", f"{w}W_{a}A"]
        parts = draw(st.permutations([*parts[:-1], draw(st.sampled_from(forms))]))
    else:  # capitals, and separators before digits
        parts = [re.sub(r"(?<=\D)(?=\d)", draw(st.sampled_from(["", "-", "_"])), part) for part in parts]
    text = draw(st.sampled_from(["-", "_"])).join(parts)
    return name, "".join(draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in text)


@given(spelt())
def test_every_spelling_of_every_network_gives_the_same_parameters_and_so_the_same_key(pair):
    name, text = pair
    if name in TWINS and text not in TWINS:
        with pytest.raises(ParameterError, match="may be mobilenetv2 or mobilenet_v2: type one of these"):
            select(STAGES, {"MODEL": text})
        return
    declared = text if text in TWINS else name
    keys = [
        key_of(
            {
                "stage": "train",
                "parameters": select(STAGES, {"MODEL": typed})["train"],
                "inputs": {},
                "recipe": {"digest": ""},
            }
        )
        for typed in (declared, text)
    ]
    assert keys[0] == keys[1] and select(STAGES, {"MODEL": text})["train"]["model"] == declared


@pytest.mark.parametrize("name", NAMES)
def test_a_name_as_it_is_declared_is_always_itself(name):
    assert select(STAGES, {"MODEL": name})["train"]["model"] == name


@pytest.mark.parametrize(("text", "near"), [("Resnet-19", "resnet18"), ("LeNet-5", "lenet"), ("cnv_1w4a", "cnv-1w2a")])
def test_an_unknown_name_gets_the_nearest(text, near):
    with pytest.raises(ParameterError, match=f"MODEL={text} is not allowed: .*; did you mean {near}"):
        select(STAGES, {"MODEL": text})
