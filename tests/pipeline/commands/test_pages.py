"""Every command that a page shows is one that exists, with variables and values that it takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import Command, commands, pages, python_blocks
from places import REPOSITORY

from microstage.datasets.locations import DOWNLOADED
from microstage.errors import MicrostageError, ParameterError
from microstage_runner.cli import run_command
from microstage_runner.command_line.parser import command_parser, typed_words
from microstage_runner.commands.table import CHECKOUT, COMMANDS
from microstage_runner.commands.used import assert_settings_used
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.session import Session, split_words

CODE = REPOSITORY / "stages" / "cbackend" / "microstage_cbackend"
# Targets of this repository's Makefile, and of those that are written beside C.
OURS = re.findall(r"^([a-z-]+):.*##", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
WRITTEN = {
    target
    for path in [CODE / "board" / "Makefile", *(CODE / "writers").glob("*.py")]
    for target in re.findall(r"^([a-z]+):", path.read_text(), re.MULTILINE)
}
ELSEWHERE = {"-C", "--help", "completion", *WRITTEN} - {*OURS}  # words of what the runner does not hear of
USAGE = (CODE / "interpreter" / "cli" / "main.c").read_text()
# What a reader's folder holds, where nothing of this repository has that name.
FILES = (
    "ONNX",
    "TFLITE",
    "GOLDEN",
    "CALIBRATION",
    "FILE",
    "FLOAT_WEIGHTS",
    "BUNDLE",
    "SCRIPT",
    "PUBLIC_KEY",
    "SIGNING_KEY",
)
DATA = {
    "ev-cpw": "ev_cpw/car/Waveform_1.csv",
    "mnist": "mnist/train-images-ubyte",
    "cifar10": "cifar10/test_batch.bin",
    "speech-commands": "speech_commands/yes/1.wav",
}
PAGES = [page for page in pages() if any(commands(page))]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A reader's folder: this checkout, with a volume of its own that holds every dataset."""
    folder = tmp_path_factory.mktemp("reader")
    for entry in REPOSITORY.iterdir():
        if entry.name not in ("volumes", ".git"):
            (folder / entry.name).symlink_to(entry)
    for name in DOWNLOADED:
        written(folder / "volumes" / ".data" / DATA[name])
    return folder


def written(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def prepare(folder: Path, page: str, command: Command) -> None:
    """Write the files that a command names: the page's own Python where it shows the file, else empty ones."""
    for name, value in split_words(runner_words(command)[1:]).items():
        for text in value.split(",") if name in FILES else ():
            if not (folder / text).exists():
                written(folder / text)
        if name == "BASELINE":
            for place in (folder / value, folder / value / "drawn-resnet8"):  # of one network, or of several
                written(place / "network.h")
    model = command.variables.get("MODEL", "")
    if model.endswith(".py"):
        shown = [block for block in python_blocks(page) if f'"""{Path(model).stem.capitalize()}' in block]
        written(folder / model, shown[0])


def distinct() -> dict[tuple[str, ...], tuple[str, Command]]:
    """Return {words of the runner: (page, command)} of what can be typed as it stands there and reaches the runner."""
    found = [(page, command) for page in PAGES for command in commands(page) if command.is_complete]
    return {
        runner_words(command): (page, command)
        for page, command in found
        if command.program in ("make", "microstage") and not ELSEWHERE & {*command.words}
    }


def runner_words(command: Command) -> tuple[str, ...]:
    """Return what the runner is told: options of the command `microstage` are words, too."""
    if command.program == "make":
        return command.words
    return tuple(typed_words(command_parser(load_stages(REPOSITORY), command.words[0]), command.words))


def refused(words: tuple[str, ...], folder: Path) -> str:
    """Return why the runner would not take the words; "" where it would."""
    name, *others = words
    typed = split_words(others)
    if name not in OURS:
        return f"{name} is no target"
    try:
        if {"RUN", "RUNS"} & typed.keys():  # of trainings that only the reader has
            assert_settings_used(name, typed)
        elif name != "help":
            here = [] if name in COMMANDS and COMMANDS[name].about == CHECKOUT else [f"VOLUMES={folder / 'volumes'}"]
            run_command([*words, *here, "DRY=1"])
    except ParameterError as error:
        return str(error)
    except MicrostageError:
        pass  # what its empty files hold
    return ""


def test_the_runner_takes_every_command(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(Session, "plan", lambda session, target: [])  # what would run is tested beside this
    problems = {}
    for words, (page, command) in distinct().items():
        prepare(checkout, page, command)
        if reason := refused(words, checkout):
            problems[str(command)] = reason
    assert problems == {}


def test_what_the_text_names_exists():
    declared = {p.variable for stage in load_stages(REPOSITORY).values() for p in stage.parameters.values()}
    problems = []
    for command in (command for page in PAGES for command in commands(page) if command.program == "make"):
        known = {*OURS, *WRITTEN}
        targets = command.targets[1:] if "-C" in command.words else command.targets
        problems += [f"{command}: no target {target}" for target in targets if target not in known]
        for name, value in command.variables.items():
            if targets and targets[0] in OURS and name not in declared:
                try:
                    assert_settings_used(targets[0], {name: value})
                except ParameterError as error:
                    problems.append(f"{command}: {error}")
    assert problems == []


def test_microstage_run_knows_every_option_that_a_page_shows():
    shown = [command for page in PAGES for command in commands(page) if command.program == "microstage-run"]
    assert len(shown) > 3
    assert {word for command in shown for word in command.words if word.startswith("--")} <= {
        *re.findall(r"--[a-z]+", USAGE)
    }


def test_no_command_has_a_hole():
    holes = [
        str(command)
        for page in PAGES
        for command in commands(page)
        if re.search(r"\.\.\.|<|\[", " ".join(command.words))
    ]
    assert holes == []
