"""Bare Litestar with one route: the least that a request can cost."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, get


@get("/health")
async def check_health() -> dict[str, bool]:
    """Answer as the product does."""
    return {"success": True}


class BareLitestar(Litestar):
    """Litestar without its pydantic plugin, which the product does not load either."""

    @staticmethod
    def _get_default_plugins(plugins: list[Any]) -> list[Any]:
        return plugins


app = BareLitestar([check_health], openapi_config=None, logging_config=None)
