"""Serve the JSON of a file by bare Litestar with one route: the least that a route can cost.

python bench/bare_litestar.py PAYLOAD
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar, get

PAYLOAD = json.loads(Path(sys.argv[1]).read_text())


@get("/api/agents")
async def list_agents() -> dict[str, Any]:
    """Answer as the product does; each response is encoded anew, as the product's is."""
    return PAYLOAD


class BareLitestar(Litestar):
    """Litestar without its pydantic plugin, which the product does not load either."""

    @staticmethod
    def _get_default_plugins(plugins: list[Any]) -> list[Any]:
        return plugins


app = BareLitestar([list_agents], openapi_config=None, logging_config=None)
port, host = int(os.environ["PORT"]), os.environ["HOST"]
uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, server_header=False)
