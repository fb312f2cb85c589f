"""The loop of the built-in ``Agent``: request, tools, and the next request.

The loop uses the models of pydantic-ai, and so supports every provider of pydantic-ai. This package
is imported at the first run of a built-in ``Agent``.
"""

from __future__ import annotations

from mastra_core.agents.loop.runner import LoopAgent

__all__ = ("LoopAgent",)
