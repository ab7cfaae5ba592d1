"""From the facts of a run to one HTML file that holds all that it shows: no network, no second file.

`python -m microstage_report.page facts.json page.html` does it; `render` does it in this process.
"""

from microstage_report.page.page import render

__all__ = ["render"]
