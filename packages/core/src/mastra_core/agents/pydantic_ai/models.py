"""Model strings made into models, whose connections stay open between runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model

from mastra_core.errors import ConfigError

__all__ = ("ModelCache",)


class ModelCache:
    """The models of one agent.

    pydantic-ai makes a string into a model anew at every run, and with it an HTTP client: 30 ms
    of reading certificates, and no connection to use again. Here a string is made into a model
    once for an event loop, and its client is closed when that loop ends.
    """

    def __init__(self) -> None:
        self._made: dict[asyncio.AbstractEventLoop, dict[str, Model]] = {}
        self._open: dict[asyncio.AbstractEventLoop, list[AsyncGenerator[None]]] = {}

    async def resolve(self, models: Sequence[Any]) -> list[Any]:
        """``models`` with each string made into a model.

        :raises ConfigError: when a provider is unknown, not installed or has no key.
        """
        return [await self._model(each) if isinstance(each, str) else each for each in models]

    async def _model(self, name: str) -> Model:
        loop = asyncio.get_running_loop()
        made = self._made.setdefault(loop, {})
        if name not in made:
            made[name] = _inferred(name)
            held = self._held(made[name], loop)
            self._open.setdefault(loop, []).append(held)
            await anext(held)
        return made[name]

    async def _held(self, model: Model, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None]:
        """Closed with the loop, as every generator is that waits in one."""
        async with model:
            try:
                yield
            finally:
                self._made.pop(loop, None)
                self._open.pop(loop, None)


def _inferred(name: str) -> Model:
    try:
        return infer_model(name)
    except (UserError, ImportError, ValueError) as error:
        raise ConfigError(
            f"The model {name!r} cannot be asked: {str(error).partition(chr(10))[0]}",
            "Install its provider's package, and set its key in the environment.",
        ) from None
