"""The entry point for Vercel's own tool: the same app, as a user would write it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))

from mastra.index import mastra

from mastra_server import create_app

app = create_app(mastra)
