"""Where the parts of this repository are, for tests that read them."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
EXAMPLES = ROOT / "examples"
