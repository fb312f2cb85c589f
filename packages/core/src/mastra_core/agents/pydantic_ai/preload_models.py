"""Import the clients of model strings without creating a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from pydantic_ai.providers import infer_provider_class

from mastra_core.agents.lazy_exports import enable_lazy_exports
from mastra_core.agents.providers import (
    get_provider_modules,
    list_client_modules,
    split_model_name,
)
from mastra_core.agents.pydantic_ai.http_clients import is_aiohttp_selected

__all__ = ("preload_models",)


def preload_models(models: Iterable[Any]) -> None:
    """Import the modules of each model string, and skip providers that are not installed.

    Creating the model instead would ask some providers' metadata servers for credentials.

    :param models: model strings and model objects. The modules of a model object are imported
        already.
    """
    enable_lazy_exports()
    for model in models:
        if isinstance(model, str):
            provider = split_model_name(model)[0]
            with contextlib.suppress(ImportError, ValueError):  # ValueError: an unknown provider
                infer_provider_class(provider)
            clients = get_provider_modules(provider) if provider else (model,)  # "test"
            for client in clients:
                _import_modules(list_client_modules(client, provider))


def _import_modules(names: Iterable[str]) -> None:
    for name in names:
        if name == "aiohttp" and not is_aiohttp_selected():
            continue
        with contextlib.suppress(ImportError):
            import_module(name)
