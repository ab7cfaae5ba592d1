"""What a stage declares: read, then every default typed as a user would type it."""

from __future__ import annotations

from pathlib import Path

from microstage_runner.declarations.stages import load_stage

__all__ = ["read"]


def read(data: bytes, folder: Path) -> None:
    """Read `data` as the stage.toml of a stage."""
    path = folder / "stage.toml"
    path.write_bytes(data)
    stage = load_stage(path)
    own = stage.user_input.parameters if stage.user_input else {}
    for parameter in [*stage.parameters.values(), *own.values()]:
        parameter.parse(str(parameter.default))
