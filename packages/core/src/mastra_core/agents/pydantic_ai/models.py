"""Cache the models that are built from model strings, and keep their connections open."""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Sequence
from typing import Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model

from mastra_core.agents.lazy_exports import enable_lazy_exports
from mastra_core.agents.providers import (
    find_missing_modules,
    get_provider_modules,
    get_provider_variables,
    get_requirements,
    split_model_name,
)
from mastra_core.agents.pydantic_ai.http_clients import create_http_client, create_provider
from mastra_core.agents.pydantic_ai.open_models import OpenModels
from mastra_core.errors import ConfigError

__all__ = ("ModelCache",)


class ModelCache:
    """The models of one agent.

    For every run, pydantic-ai builds a new model from a string, with a new HTTP client. A new
    client takes 30 ms to read certificates, and must open a new connection. This cache builds the
    model once for each event loop, and closes the model's client when that loop ends.
    """

    def __init__(self) -> None:
        self._loops: dict[asyncio.AbstractEventLoop, _LoopModels] = {}

    async def resolve(self, models: Sequence[Any], permanent: Sequence[Any] = ()) -> list[Any]:
        """Return ``models`` with each model string replaced by a model.

        :param models: model strings and model objects.
        :param permanent: the model objects whose connections stay open after a run.
        :raises ConfigError: when a provider is unknown, not installed or has no key.
        """
        return [
            await self._get_model(each) if isinstance(each, str) or each in permanent else each
            for each in models
        ]

    async def _get_model(self, item: Any) -> Model:
        loop = asyncio.get_running_loop()
        models = self._loops.get(loop)
        if models is None or models.is_closed:
            self._forget_closed_loops()
            models = self._loops[loop] = _LoopModels(self, await OpenModels.get_current())
        return await models.get(item)

    def _forget_closed_loops(self) -> None:
        for loop, models in [*self._loops.items()]:  # other threads change the mapping
            if loop.is_closed() or models.is_closed:
                self._loops.pop(loop, None)
                models.finalizer.detach()


class _LoopModels:
    """The models of one cache for one event loop.

    :param cache: the cache. When nothing uses the cache any more, its models are closed.
    :param open_models: the open models of the event loop.
    """

    def __init__(self, cache: ModelCache, open_models: OpenModels) -> None:
        self._models: dict[str | int, Model] = {}
        self._locks: dict[str | int, asyncio.Lock] = {}
        self._open_models = open_models
        self._numbers: list[int] = []
        self.finalizer = weakref.finalize(cache, open_models.close_soon, self._numbers)
        self.finalizer.atexit = False

    @property
    def is_closed(self) -> bool:
        """Whether the event loop has closed the models."""
        return self._open_models.is_closed

    async def get(self, item: Any) -> Model:
        """Return the open model of a model string, or the model itself after it was opened.

        :param item: a model string or a model object.
        """
        key = item if isinstance(item, str) else id(item)
        if key not in self._models:
            # A run that is cancelled while it opens the model leaves this to the next run.
            async with self._locks.setdefault(key, asyncio.Lock()):
                if key not in self._models:
                    await self._open(key, item)
        return self._models[key]

    async def _open(self, key: str | int, item: Any) -> None:
        model, client = _infer_model(item) if isinstance(item, str) else (item, None)
        self._numbers.append(await self._open_models.open(model, client))
        self._models[key] = model


def _infer_model(name: str) -> tuple[Model, Any]:
    """Return the model of a model string, and its HTTP client unless the model closes it itself."""
    enable_lazy_exports()
    client = create_http_client(split_model_name(name)[0])
    try:
        if client is None:
            model = infer_model(name)
        else:
            model = infer_model(name, lambda provider: create_provider(provider, client))
    except (UserError, ImportError, ValueError) as error:
        message = str(error).partition("\n")[0]
        raise ConfigError(
            f"The model {name!r} cannot be used: {message}", _suggest_model(name)
        ) from None
    if "pydantic_ai.models.openai" in sys.modules:
        _accelerate_model(model)
    return model, client


def _suggest_model(name: str) -> str:
    provider = name.partition(":")[0]
    modules = get_provider_modules(provider)
    if missing := find_missing_modules(modules):
        packages = " ".join(map(repr, get_requirements(missing)))
        return f"Install its provider: pip install {packages}."
    variables = " or ".join(get_provider_variables(provider))
    return f"Set {variables}, or put it in .env." if variables else "Correct the name of the model."


def _accelerate_model(model: Model) -> None:
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

    if isinstance(model, OpenAIChatModel | OpenAIResponsesModel):
        from mastra_core.agents.pydantic_ai.openai_requests import accelerate_client

        accelerate_client(model)
