"""The example of docs/quantising.md runs as it stands."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "quantising.md"


def test_the_pages_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(compile(example, "quantising", "exec"), {"__name__": "page"})
    assert "relative L2" in capsys.readouterr().out
    assert (tmp_path / "sensitivity.png").stat().st_size > 5000
