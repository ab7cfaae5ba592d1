"""Runs on a tracking server of MLflow: each once, with its parameters, figures and curves."""

import json

import mlflow

from microstage_report.tracking.mlflow_runs import main

_RUN = {
    "id": "1b6f",
    "parameters": {"width": 4},
    "figures": {"integers' top-1": 87.5},
    "curves": [{"epoch": epoch, "figure": "float: train", "value": 0.5 / epoch} for epoch in (1, 2)],
}


def test_a_run_is_kept_once_with_parameters_figures_and_curves(tmp_path):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    (tmp_path / "runs.json").write_text(json.dumps([_RUN]))
    for _ in range(2):
        assert main(tmp_path / "runs.json") == 0
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.data.params == {"width": "4"}
    assert run.data.metrics == {"integers_ top-1": 87.5, "float/train": 0.25}
    curve = mlflow.MlflowClient().get_metric_history(run.info.run_id, "float/train")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5), (2, 0.25)]
