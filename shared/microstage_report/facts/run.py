"""A run as it was published: a folder per stage, and what its manifest says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from microstage.interface import golden

__all__ = ["Published", "PublishedRun"]


@dataclass(frozen=True)
class Published:
    """The artefact of one stage."""

    path: Path

    @cached_property
    def about(self) -> dict[str, Any]:
        """Stage, key, parameters, inputs, metrics and what was compared, as its manifest says."""
        return json.loads((self.path / "manifest.json").read_text())["microstage"]

    @property
    def stage(self) -> str:
        """The stage that made it."""
        return self.about["stage"]

    @cached_property
    def ran(self) -> dict[str, Any]:
        """When, where and for how long it ran; nothing where that note is gone."""
        return self._json(self.path.with_name(f"{self.path.name}.run") / "run.json")

    def json(self, name: str) -> dict[str, Any]:
        """Return one of its files; an empty dict where it has none of that name."""
        return self._json(self.path / name)

    @staticmethod
    def _json(path: Path) -> dict[str, Any]:
        return json.loads(path.read_text()) if path.is_file() else {}


@dataclass(frozen=True)
class PublishedRun:
    """The artefacts of a run, in the order of its stages, and what the runner knows beside them.

    `called` is what the user calls a network of their own, `network` its file where that is still there, `explained`
    the folder of its `make explain`, `latency` the nanoseconds that each function of its C took.
    """

    steps: tuple[Published, ...]
    command: str
    network: Path | None = None
    explained: Path | None = None
    called: str = ""
    latency: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, asked: Mapping[str, Any]) -> PublishedRun:
        """Return the run that the runner asks for a page of."""
        places: dict[str, Any] = {name: Path(asked[name]) for name in ("network", "explained") if asked.get(name)}
        told = {name: asked[name] for name in ("called", "latency") if asked.get(name)}
        return cls(tuple(Published(Path(step)) for step in asked["steps"]), asked["command"], **places, **told)

    def stage(self, name: str) -> Published | None:
        """Return the artefact of a stage; None where the run has none."""
        return next((step for step in self.steps if step.stage == name), None)

    def json(self, name: str) -> dict[str, Any]:
        """Return the file `name` of the last stage that wrote one."""
        return next((found for step in reversed(self.steps) if (found := step.json(name))), {})

    @property
    def metrics(self) -> dict[str, Any]:
        """What all stages measured."""
        return {name: value for step in self.steps for name, value in step.about["metrics"].items()}

    @property
    def parameters(self) -> dict[str, Any]:
        """What all stages were given."""
        return {name: value for step in self.steps for name, value in step.about["parameters"].items()}

    @property
    def model(self) -> dict[str, Any]:
        """What the network says of itself: model_def.json."""
        return self.json("model_def.json")

    @cached_property
    def explanation(self) -> dict[str, Any]:
        """What `make explain` found out about the run; an empty dict where it was not asked."""
        path = self.explained / "explain.json" if self.explained else None
        return json.loads(path.read_text()) if path else {}

    @cached_property
    def parts(self) -> dict[str, dict[str, Any]]:
        """The graphs of integers: {name: file, inputs, outputs}."""
        return self.json("interface.json").get("parts", {})

    @cached_property
    def graphs(self) -> dict[str, Path]:
        """The files of the integer graphs, where they were made: {part: file}."""
        integers = self.stage("streamline")
        files = {part: integers.path / facts["file"] for part, facts in self.parts.items()} if integers else {}
        return {part: path for part, path in files.items() if path.is_file()}

    @cached_property
    def vectors(self) -> dict[str, np.ndarray]:
        """The golden vectors of the last stage that has some: {tensor: an array, samples first}."""
        holders = [step.path / golden.FILE for step in self.steps if (step.path / golden.FILE).is_file()]
        return golden.load(holders[-1]) if holders else {}

    @property
    def samples(self) -> np.ndarray:
        """The places of the samples that are data, not extremes that were added to prove more."""
        count = len(next(iter(self.vectors.values()), ()))
        return np.flatnonzero(self.vectors.get("real", np.ones(count, np.uint8)))
