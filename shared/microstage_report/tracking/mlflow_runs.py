"""`python -m microstage_report.tracking.mlflow_runs runs.json`: each run to the server of MLFLOW_TRACKING_URI, once."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow

_EXPERIMENT, _OURS = "microstage", "microstage.run"
_UNFIT = re.compile(r"[^\w ./-]")  # in the name of a metric


def main(runs: Path) -> int:
    experiment = mlflow.set_experiment(_EXPERIMENT).experiment_id
    for run in json.loads(runs.read_text()):
        same = f"tags.`{_OURS}` = '{run['id']}'"
        if not mlflow.search_runs([experiment], same, output_format="list"):
            _log(run)
    return 0


def _log(run: Mapping[str, Any]) -> None:
    with mlflow.start_run(run_name=run["id"], tags={_OURS: run["id"]}):
        mlflow.log_params(run["parameters"])
        mlflow.log_metrics({_UNFIT.sub("_", name): value for name, value in run["figures"].items()})
        for point in run["curves"]:
            mlflow.log_metric(_UNFIT.sub("_", point["figure"].replace(": ", "/")), point["value"], step=point["epoch"])


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
