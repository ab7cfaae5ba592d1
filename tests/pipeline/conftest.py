"""A toy checkout for each test; a volume for those that run real stages."""

from pathlib import Path

import pytest
from toy import packages, toy  # noqa: F401

from microstage_runner.process import REPOSITORY


@pytest.fixture(scope="module")
def volumes(tmp_path_factory) -> Path:
    """A volume of a module's own, with the environments that are here."""
    folder = tmp_path_factory.mktemp("volumes")
    (folder / ".env").symlink_to(REPOSITORY / "volumes" / ".env")
    return folder
