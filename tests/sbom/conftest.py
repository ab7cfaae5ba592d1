"""The toy checkout of tests/pipeline."""

import importlib.util
from pathlib import Path

_FILE = Path(__file__).parents[1] / "pipeline" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("pipeline_toys", _FILE)
_TOYS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_TOYS)

shared, toy = _TOYS.shared, _TOYS.toy
