"""Sweeps: all points checked first, every job once, a failing point named and the others done; on either engine."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from microstage.errors import ParameterError
from microstage_runner.artefacts.store import Store
from microstage_runner.process import REPOSITORY
from microstage_runner.sweeping import snakemake_engine
from microstage_runner.sweeping.comparison import comparison
from microstage_runner.sweeping.figures import figures
from microstage_runner.sweeping.points import combinations

_MEETS_ANOTHER = """
import pathlib, time
log = pathlib.Path(os.environ["TOY_LOG"])
log.with_suffix(f".met{os.getpid()}").touch()
for _ in range(1200):
    if len(list(log.parent.glob("log.met*"))) > 1: break
    time.sleep(0.05)
else: raise AssertionError("alone")
"""
_REFUSES_3 = """
from microstage.errors import ModelError
if job.parameters["times"] == 3: raise ModelError("It cannot be.")
"""
POINTS = ("sweep", "CYCLES=0.5,1", "TIMES=2,3", "STAGE=second")


def rows_of(toy) -> list[dict[str, str]]:
    """Return the rows of the only sweep of a checkout."""
    (file,) = (toy.root / "volumes/sweep").glob("*/sweep.csv")
    return list(csv.DictReader(file.open()))


def digests(toy) -> dict[str, str]:
    store = Store(toy.root / "volumes")
    return {artefact.key: artefact.digest for stage in store.stages() for artefact in store.published(stage)}


def test_every_combination_in_order_and_what_is_no_parameter_left_alone():
    chosen = combinations({"CYCLES": "0.5,1", "SEED": "1,2", "DATA_DIR": "/a,b", "STAGES_ON": "a=b,c=d", "JOBS": "2"})
    assert [tuple(values.values()) for values, _ in chosen] == [("0.5", "1"), ("0.5", "2"), ("1", "1"), ("1", "2")]
    assert all((typed["DATA_DIR"], typed["STAGES_ON"]) == ("/a,b", "a=b,c=d") for _, typed in chosen)
    with pytest.raises(ParameterError, match="needs a list"):
        combinations({"CYCLES": "1"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*POINTS, "CYCLES=0.5,9"), "Point 3 of 4, CYCLES=9 TIMES=2: CYCLES=9 is not allowed"),
        ((*POINTS, "ENGINE=snake"), "ENGINE=snake is not allowed: expected one of local, snakemake."),
        ((*POINTS, "PROFILE=slurm"), "PROFILE=slurm goes with ENGINE=snakemake"),
        ((*POINTS, "ENGINE=snakemake", "PROFILE=pbs"), "PROFILE=pbs is not allowed: expected one of local, slurm."),
        ((*POINTS, "JOBS=0"), "JOBS=0 is not allowed"),
    ],
)
def test_nothing_is_run_of_a_sweep_that_is_refused(toy, words, said):
    code, out, err = toy.call(*words)
    assert code == 2 and said in err and toy.ran() == [], out


def test_jobs_run_side_by_side_and_what_points_have_in_common_once(toy):
    code, out, err = toy.call(*POINTS, "JOBS=2", TOY_DOES=_MEETS_ANOTHER)
    assert code == 0, out + err
    assert sorted(toy.ran()) == ["first"] * 2 + ["second"] * 4
    rows = rows_of(toy)
    assert [(row["CYCLES"], row["TIMES"]) for row in rows] == [("0.5", "2"), ("0.5", "3"), ("1", "2"), ("1", "3")]
    assert {row["key"]: row["digest"] for row in rows}.items() <= digests(toy).items()
    assert [row["integers compared"] for row in rows] == ["5"] * 4
    code, out, _ = toy.call(*POINTS)
    assert code == 0 and toy.ran() == [] and "of which 0 jobs are not done yet" in out


def test_a_failing_point_is_named_in_its_row_and_the_others_are_done(toy):
    code, out, _ = toy.call(*POINTS, TOY_DOES=_REFUSES_3)
    assert code == 1 and sorted(toy.ran()) == ["first"] * 2 + ["second"] * 4
    failed = [row["failed"] for row in rows_of(toy)]
    assert failed[::2] == ["", ""] and all(said.startswith("second: ") for said in failed[1::2])
    assert list((toy.root / "volumes/sweep").glob("*/logs/second-*.log"))
    code, _, _ = toy.call(*POINTS)
    assert code == 0 and toy.ran() == ["second"] * 2


def test_snakemake_does_the_same_jobs(toy):
    toy.variables["TOY_SWEEPING"] = str(snakemake_engine.environment(REPOSITORY / "volumes"))
    code, out, err = toy.call("sweep", "TIMES=2,3", "STAGE=second", "JOBS=2", "ENGINE=snakemake")
    assert code == 0, out + err
    assert sorted(toy.ran()) == ["first", "second", "second"]
    assert {row["key"]: row["digest"] for row in rows_of(toy)}.items() <= digests(toy).items()


def step(folder: Path, **metrics):
    proof = {"boundary": "x", "compared": 10, "equal": 9, "explained_ties": 1}
    model = {"model": "harmonic"} if "test.mae.network" in metrics else {}
    about = {"metrics": metrics, "verification": [proof], "parameters": {"epochs": 8, **model}}
    return SimpleNamespace(artefact=SimpleNamespace(about=about, checked=lambda: folder, run={"seconds": 12.3}))


def test_networks_of_different_kinds_have_figures_of_their_own(tmp_path):
    (tmp_path / "model_def.json").write_text('{"weights": 1234, "multiply_accumulates": 5678}')
    part = {"slowest_layer_cycles": 7, "resources": {"LUT": 5, "BRAM_18K": 1, "DSP": 0}}
    (tmp_path / "estimates.json").write_text(
        json.dumps({"parts": {"a": part, "b": {**part, "slowest_layer_cycles": 9}}})
    )
    estimator = step(tmp_path, **{"test.mae.network": [0.1, 0.2, 0.3, 0.4], "test.thd_error.network": 0.005})
    assert list(figures([estimator]).values()) == [
        *(
            "0.100",
            "0.200",
            "0.300",
            "0.400",
            "0.50 %",
            "8",
            "12",
            "10",
            "0",
            "1",
            "1,234",
            "5,678",
            "9",
            "10",
            "2",
            "0",
        )
    ]
    (tmp_path / "estimates.json").write_text(
        json.dumps({"parts": {"a": {**part, "not_estimated": {"Pool_hls": 2, "LabelSelect_hls": 1}}, "b": part}})
    )
    assert figures([estimator])["LUT"] == "10" and figures([estimator])["layers not estimated"] == "3"
    trained = step(tmp_path, **{"test.accuracy": 0.9317, "test.examples": 10000})
    classifier = figures([trained, step(tmp_path, **{"streamlined.accuracy": 0.9316, "streamlined.answers": 10000})])
    assert classifier["top-1"] == "93.17 %" and classifier["integers' top-1"] == "93.16 %"
    assert figures([step(tmp_path, **{"test.loss": 0.125, "train.loss": 0.1})])["test.loss"] == "0.125"
    (tmp_path / "estimates.json").write_text('{"parts": {}, "not_estimated": "FINN has no layer for Transpose"}')
    assert "LUT" not in figures([trained]) and figures([trained])["top-1"] == "93.17 %"


def test_the_front_holds_the_runs_that_none_beats_in_cost_and_quality():
    def run(name, lut, quality):
        return {"id": name, "parameters": {}, "figures": {"top-1": quality, "epochs": 3.0, "LUT": lut}}

    runs = [run("small", 10, 80.0), run("worse", 12, 70.0), run("large", 50, 90.0), run("same", 50, 90.0)]
    front = ["small", "large", "same"]
    assert comparison(runs)["pareto"] == {"x": "LUT", "y": "top-1", "higher": True, "front": front}
    assert "pareto" not in comparison([{"id": "a", "parameters": {}, "figures": {"LUT": 3.0}}])
