"""Choose what selftest.c calls beside each part: the whole network, streams of its cell, real numbers."""

from __future__ import annotations

from collections.abc import Mapping

from microstage_cbackend.vectors.plan import Plan
from microstage_cbackend.writers import selftest_float
from microstage_cbackend.writers.api import Api
from microstage_cbackend.writers.float_api import FloatApi
from microstage_cbackend.writers.selftest_parts import STREAM, WHOLE, stream_test, whole_test

__all__ = ["STREAM", "WHOLE", "WholeTest"]


class WholeTest:
    """Hold `headers`, `tallies` (the boundaries that are counted), `calls` (C, once per vector) and `after` (C, once).

    A whole is only called where it is more than one part.
    """

    def __init__(self, api: Api, plan: Plan, real: FloatApi) -> None:
        network, ends = api.model.name, real.ends
        cells = {cell.part.name: cell for cell in api.cells}
        self._ends, self._whole = ends, api.infer if api.model.recurrent else None
        self._streams = [(cells[check.part.name], check) for check in plan.checks if check.part.name in cells]
        self.headers = [f"{network}{'_float' if ends.possible else ''}.h"]
        self.tallies = [f"{STREAM}{check.expects[new]}" for _, check in self._streams for _, new in check.part.states]
        self.tallies += [f"{WHOLE}{name}" for name, _ in self._whole.outputs] if self._whole else []
        self.tallies += selftest_float.tallies(ends)
        self.calls = [f"stream_{check.part.name}(vector)" for _, check in self._streams]
        self.calls += ["test_whole(vector)"] if self._whole else []
        self.calls += ["test_float(vector)"] if ends.possible else []
        self.after = "    refuse_float(vectors - 1);\n" if ends.possible else ""

    def text(self, names: list[str], arrays: Mapping[str, str]) -> str:
        """Return the functions of `calls`; `names`: all tallies in order; `arrays`: {boundary: its array}."""
        text = "".join(stream_test(cell, check, names, arrays) for cell, check in self._streams)
        text += whole_test(self._whole, names, arrays) if self._whole else ""
        return text + (selftest_float.test(self._ends, names, arrays) if self._ends.possible else "")
