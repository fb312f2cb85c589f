"""The example is tried as its author would, and so are worse ones."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "mastra-deployer-acme"))
