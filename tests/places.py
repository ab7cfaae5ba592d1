"""Where things lie in this checkout."""

from pathlib import Path

__all__ = ["FIXTURES", "REPOSITORY", "SHARED"]

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY / "shared"
FIXTURES = REPOSITORY / "tests" / "fixtures"
