"""Families of models: found by MODEL=, each with its own parameters, code and form of output."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import REPOSITORY

from microstage import models
from microstage.errors import ParameterError
from microstage_runner.artefacts.digests import Digests
from microstage_runner.artefacts.recipe import recipe
from microstage_runner.commands.binfiles import module_of
from microstage_runner.commands.variables import variables
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.model_parameters import form, hook_files
from microstage_runner.declarations.selection import SETTINGS, select

STAGES = load_stages(REPOSITORY)
MODELS = sorted(models.models())
ONE_OF_EACH = sorted({package.__name__: model for model, package in models.models().items()}.values())


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_of_every_model_has_a_default_that_may_be_typed(model):
    chosen = select(STAGES, {"MODEL": model})["train"]
    for name, value in chosen.items():
        own = STAGES["train"].parameters[name].of(model)
        assert own.parse(str(value)) == value and own.summary.endswith(".") and own.variable not in SETTINGS
    assert chosen["model"] == model and form(model) in (models.FEED_FORWARD, models.RECURRENT)


@pytest.mark.parametrize("model", ONE_OF_EACH)
def test_what_a_stage_asks_of_a_family_is_there_and_in_its_recipe_alone(model, tmp_path):
    platform, digests = {"python": "3.10", "libc": "glibc"}, Digests(tmp_path / "digests.json")
    for stage in STAGES.values():
        files = {
            path.relative_to(REPOSITORY).as_posix() for path in hook_files(model, stage.name, REPOSITORY / "shared")
        }
        assert bool(files) == (stage.name in ("train", "export")), stage.name
        found = recipe(stage, REPOSITORY, platform, digests, model)
        assert files <= set(found["files"]) and ("model" in found) == bool(files)
    own = Path(models.family(model).__file__).parent.name
    files = recipe(STAGES["train"], REPOSITORY, platform, digests, model)["files"]
    trained = {path.split("/")[3] for path in files if path.startswith("shared/microstage/models/")}
    others = {Path(package.__file__).parent.name for package in models.models().values()} - {own}
    assert own in trained and not trained & others


def test_what_a_float_network_is_quantised_for_enters_the_keys(tmp_path):
    for stage in ("train", "export"):
        found = recipe(STAGES[stage], REPOSITORY, {}, Digests(tmp_path / "digests.json"), "resnet8")["files"]
        held = {Path(path).stem for path in found if path.endswith(".json") and "/targets/" in path}
        assert held == {*STAGES["train"].parameters["target"].of("resnet8").choices}


def test_another_familys_parameter_or_dataset_is_one_sentence():
    with pytest.raises(ParameterError, match="CYCLES=1 is no parameter of MODEL=kws-w3a3: it belongs to harmonic"):
        select(STAGES, {"MODEL": "kws-w3a3", "CYCLES": "1"})
    with pytest.raises(
        ParameterError, match="NOISE_VOLUME=0.2 is no parameter of MODEL=harmonic: it belongs to kws-w3a3"
    ):
        select(STAGES, {"NOISE_VOLUME": "0.2"})
    with pytest.raises(ParameterError, match="DATASET=generator is not allowed: expected one of words"):
        select(STAGES, {"MODEL": "kws-w3a3", "DATASET": "generator"})
    with pytest.raises(ParameterError, match="MODEL=kws-w4a4 is not allowed: expected one of .*kws-w3a3"):
        select(STAGES, {"MODEL": "kws-w4a4"})


def test_a_familys_defaults_are_its_own():
    harmonic, keywords = (select(STAGES, {"MODEL": model})["train"] for model in ("harmonic", "kws-w3a3"))
    assert (harmonic["batch"], keywords["batch"]) == (128, 512) and (harmonic["hidden"], keywords["hidden"]) == (
        48,
        256,
    )
    assert select(STAGES, {"MODEL": "kws-w3a3", "HIDDEN": "32"})["train"]["hidden"] == 32
    lines = variables(STAGES).splitlines()
    assert sum(line.startswith("  HIDDEN=") for line in lines) >= 2 and any(
        "HIDDEN=256" in line and "MODEL=kws-w3a3" in line for line in lines
    )


def test_a_network_without_benchmark_files_is_one_sentence():
    assert module_of("kws-w3a3") == "microstage.models.kws.binfiles"
    with pytest.raises(ParameterError, match="MODEL=harmonic has no benchmark files: expected one of kws-w3a3"):
        module_of("harmonic")
