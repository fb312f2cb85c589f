"""Respond to Studio with an empty list of schedules, in an app whose workflows have no schedule."""

from __future__ import annotations

from typing import TypedDict

from litestar.response.base import ASGIResponse

from mastra_server.http.handlers import get
from mastra_server.http.responses import json_response

__all__ = ("ROUTES",)


class _NoSchedules(TypedDict):
    """An empty list."""

    schedules: list[str]


@get("/api/schedules", operation_id="schedules_list", response=_NoSchedules)
async def _list_no_schedules() -> ASGIResponse:
    """List the schedules of all workflows."""
    return json_response({"schedules": []})


ROUTES = (_list_no_schedules,)
