"""`python -m microstage_report.page facts.json page.html`: write the page of these facts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from microstage.errors import MicrostageError, ParameterError
from microstage_report.page import render


def main(arguments: list[str]) -> int:
    try:
        if len(arguments) != 2:
            raise ParameterError("expected two files: python -m microstage_report.page facts.json page.html.")
        Path(arguments[1]).write_text(render(_read(Path(arguments[0]))), encoding="utf-8")
    except MicrostageError as error:
        print(f"microstage: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParameterError(f"{path} holds no facts in JSON ({error}); `make report` writes such a file.") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
