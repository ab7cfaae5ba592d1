"""The stage on what many tests give it."""

import pytest
from stage_runs import StageOnFile, StageOnParts


@pytest.fixture
def stage(tmp_path):
    """On the parts of a small network that is stepped; a test may spoil them."""
    return StageOnParts(tmp_path)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The same after one run. Not to be changed."""
    stage = StageOnParts(tmp_path_factory.mktemp("made"))
    assert stage.run() == 0
    return stage


@pytest.fixture
def own(tmp_path):
    """On a file of a user's own."""
    return StageOnFile(tmp_path)
