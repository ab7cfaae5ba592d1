"""The parser of the command line: a subcommand for each stage and each command of the table."""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from microstage.errors import ParameterError
from microstage_runner.command_line.variables import Variable, variables_of
from microstage_runner.command_line.wording import as_typed_here
from microstage_runner.commands import table
from microstage_runner.declarations.stages import Stage

__all__ = ["COMPLETION", "SHELLS", "command_parser", "typed_words"]

COMPLETION, SHELLS = "completion", ("bash", "zsh", "fish")
_WORD = re.compile("[A-Z][A-Z0-9_]*=")


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are the runner's: one sentence. `commands` are the names of its subcommands."""

    commands: Collection[str] = ()

    def __init__(self, **how: Any) -> None:
        super().__init__(**how, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise ParameterError(f"{message[:1].upper()}{message[1:]}; `{self.prog} --help` shows what may be typed.")


class Typed(argparse.Action):
    """An option as the word NAME=VALUE; without a value 1, for a word that follows a switch is no value of it."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, value: Any, option: str | None = None) -> None:
        follows = [value] if self.nargs == "?" and _WORD.match(value) else []
        namespace.words = [*namespace.words, f"{self.dest}={'1' if follows else value}", *follows]


def command_parser(stages: Mapping[str, Stage], chosen: str | None, completing: bool = False) -> CommandParser:
    """Return the parser, with the options of the command `chosen` alone; `completing` lets words be completed too."""
    parser = CommandParser(prog="microstage", description="What `make` does in a checkout of microstage.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in _commands(stages).items():
        usage = f"microstage {name} [NAME=VALUE ...] [--name VALUE ...]"
        one = commands.add_parser(name, help=_plain(summary), description=_plain(summary), usage=usage)
        one.set_defaults(words=[])
        if name == chosen:
            _add_options(one, variables_of(name, stages), completing)
    shell = commands.add_parser(COMPLETION, help="print what makes a shell complete this command: bash, zsh or fish")
    shell.add_argument("shell", choices=SHELLS)
    shell.set_defaults(words=[])
    parser.commands = commands.choices
    return parser


def typed_words(parser: CommandParser, arguments: Sequence[str]) -> list[str]:
    """Return the command and NAME=VALUE words; an option that no declaration has is a variable as well, of which the
    runner knows better.
    """
    given, others = parser.parse_known_args(arguments)
    words, rest = [given.command, *given.words], iter(others)
    for word in rest:
        if word.startswith("--"):
            option, equals, value = word[2:].partition("=")
            word = f"{option.upper().replace('-', '_')}={value if equals else next(rest, '')}"
        words.append(word)
    return words


def _add_options(parser: argparse.ArgumentParser, variables: Sequence[Variable], completing: bool) -> None:
    groups: dict[str, Any] = {}
    for one in variables:
        group = groups.setdefault(one.group, None) or parser.add_argument_group(one.group)
        groups[one.group] = group
        how: dict[str, Any] = {"nargs": "?", "const": "1"} if one.switch else {}
        option = group.add_argument(
            one.option, dest=one.name, action=Typed, metavar=one.name, help=_plain(one.about), **how
        )
        option.default = argparse.SUPPRESS
        if one.values:
            _complete(option, lambda values=one.values, **_: values)
    if completing:
        _complete(parser.add_argument("words", nargs="*"), lambda prefix, **_: _completed(prefix, variables))


def _complete(action: argparse.Action, values: Callable[..., Iterable[str]]) -> None:
    """Let argcomplete ask `values` what may stand for `action`."""
    vars(action)["completer"] = values


def _completed(prefix: str, variables: Sequence[Variable]) -> list[str]:
    """Return the words that may begin with `prefix`: names, or a name with each of its values."""
    name, equals, _ = prefix.partition("=")
    if not equals:
        return [f"{one.name}=" for one in variables]
    return [f"{name}={value}" for one in variables if one.name == name for value in one.values]


def _commands(stages: Mapping[str, Stage]) -> dict[str, str]:
    """Return {command: what it does}: stages as they are declared, then the table."""
    folder = Path(table.__file__).parent
    others = {name: _summary(folder / f"{command.module}.py") for name, command in table.COMMANDS.items()}
    return {**{stage.name: stage.summary for stage in stages.values()}, **others}


def _summary(module: Path) -> str:
    """Return the first sentence of a command's module, without the `make` before it; nothing of it is run."""
    text = ast.get_docstring(ast.parse(module.read_text())) or ""
    said = re.sub(r"^`make [^`]*`: ", "", " ".join(text.split("\n\n")[0].split()))
    return said[:1].upper() + said[1:]


def _plain(text: str) -> str:
    """Return a text as argparse prints it unchanged."""
    return as_typed_here(text).replace("%", "%%")


def _version() -> str:
    try:
        return importlib.metadata.version("microstage")
    except importlib.metadata.PackageNotFoundError:
        return "of a checkout"
