"""What the stages of this checkout declare, and what values their parameters take."""

from __future__ import annotations

import pytest
from places import REPOSITORY

from microstage.errors import ParameterError
from microstage_runner.artefacts.digests import Digests
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.parameter import Parameter
from microstage_runner.declarations.selection import SETTINGS
from microstage_runner.declarations.stages import BESIDE, DATASET, MODULE, last, usual
from microstage_runner.session import Session

STAGES = load_stages(REPOSITORY)


def test_the_chain_follows_from_the_inputs():
    assert list(STAGES) == ["train", "export", "qcdq", "streamline", "cbackend", "rtl"]
    assert [stage.name for stage in usual(STAGES)] == ["train", "export", "qcdq", "streamline", "cbackend"]
    assert last(STAGES) == "cbackend", "where no stage is named, the optional one is not made"
    assert STAGES["train"].inputs == {"data": DATASET, "module": MODULE, "beside": BESIDE}


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_every_default_is_a_value_that_may_be_typed(stage):
    for parameter in stage.parameters.values():
        assert parameter.parse(str(parameter.default)) == parameter.default
        assert parameter.summary.endswith(".")


def test_no_two_stages_declare_one_variable_and_none_hides_a_setting():
    names = [p.variable for stage in STAGES.values() for p in stage.parameters.values()]
    assert len(names) == len(set(names)) and not set(names) & set(SETTINGS)


@pytest.mark.parametrize("text", ["0.5", ".5", "0.50", " 5e-1"])
def test_spellings_of_one_number_are_one_value(text):
    assert STAGES["train"].parameters["cycles"].parse(text) == 0.5


@pytest.mark.parametrize(("text", "value"), [("1", True), ("no", False), ("True", True)])
def test_switches(text, value):
    assert Parameter("x", "bool", False, "A switch.").parse(text) is value


@pytest.mark.parametrize("text", ["", "inf", "-1", "0", "4.1", "nan", "half"])
def test_an_impossible_value_says_what_is_allowed(text):
    with pytest.raises(ParameterError, match="expected a number above 0 up to 4 cycles"):
        STAGES["train"].parameters["cycles"].parse(text)


def test_another_pinned_environment_is_another_recipe(monkeypatch):
    from microstage_runner.artefacts import recipe as module
    from microstage_runner.process import REPOSITORY

    stage = load_stages(REPOSITORY)["train"]
    platform = {"python": "3.10.13", "libc": "glibc 2.36"}
    before = module.recipe(stage, REPOSITORY, platform, Digests())["digest"]
    monkeypatch.setitem(module.PINNED, "MKL_CBWR", "AVX2")
    assert module.recipe(stage, REPOSITORY, platform, Digests())["digest"] != before


def test_a_part_that_finn_does_not_know_is_named_with_near_ones():
    parts = STAGES["streamline"].parameters["fpga_part"]
    assert parts.parse("xc7z020clg400-1") == "xc7z020clg400-1"
    with pytest.raises(ParameterError, match="did you mean xc7z020clg400-1"):
        parts.parse("xc7z020")
    with pytest.raises(ParameterError, match="FPGA_PART=banana is not allowed: expected one of xc7z020clg400-1, "):
        parts.parse("banana")


def test_a_json_file_is_part_of_the_key_by_what_it_holds(tmp_path):
    folding = STAGES["streamline"].parameters["folding"]
    file = tmp_path / "folding.json"
    file.write_text('{"b": {"PE": 2},\n "a": {}}')
    assert folding.parse(str(file)) == '{"a":{},"b":{"PE":2}}' == folding.parse('{"b": {"PE": 2}, "a": {}}')
    assert folding.parse("") == ""
    for content in ("[1]", "{", '{"a": "' + "x" * 70000 + '"}'):
        file.write_text(content)
        with pytest.raises(ParameterError, match="expected a file that holds a JSON object, of at most 64 KiB"):
            folding.parse(str(file))
    with pytest.raises(ParameterError, match="FOLDING=none.json is not allowed"):
        folding.parse("none.json")


def test_a_command_about_all_stages_leaves_out_the_optional_one_unless_it_is_named(tmp_path):
    given = {"VOLUMES": str(tmp_path)}
    usual_ones = ["train", "export", "qcdq", "streamline", "cbackend"]
    assert [stage.name for stage in Session(REPOSITORY, given).chosen()] == usual_ones
    assert [stage.name for stage in Session(REPOSITORY, {**given, "STAGE": "rtl"}).chosen()] == ["rtl"]
    for command in ("why", "report", "pack", "images"):
        assert Session(REPOSITORY, given).last_of(command) == "cbackend"
    with pytest.raises(ParameterError, match="LANES=8 belongs to rtl, which `make cbackend` does not reach"):
        Session.of("cbackend", REPOSITORY, {**given, "LANES": "8"})
