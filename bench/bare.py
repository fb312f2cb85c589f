"""Bare Litestar with one route, which answers the JSON of a file: the least a route can cost.

python bench/bare.py PAYLOAD
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
async def agents() -> dict[str, Any]:
    """The same answer as ours, encoded for each request as ours is."""
    return PAYLOAD


class Bare(Litestar):
    """Litestar without pydantic, as ours is."""

    @staticmethod
    def _get_default_plugins(plugins: list[Any]) -> list[Any]:
        return plugins


app = Bare([agents], openapi_config=None, logging_config=None)
port, host = int(os.environ["PORT"]), os.environ["HOST"]
uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, server_header=False)
