"""What `make lint` looks at: nothing of the checkout escapes it."""

import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_mypy_finds_the_package_of_every_stage():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["mypy"]
    stages = {path.parent.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("stages/*/stage.toml")}
    assert set(settings["mypy_path"].split(":")) == stages | {"shared"}


def test_no_package_is_spared_a_check_of_types():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["mypy"]
    assert not settings.keys() & {"overrides", "disable_error_code", "ignore_errors", "exclude"}
