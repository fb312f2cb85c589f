"""Import the clients of model strings without creating a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from pydantic_ai.providers import infer_provider_class

from mastra_core.agents.lazy_exports import enable_lazy_exports
from mastra_core.agents.providers import get_model_modules, split_model_name

__all__ = ("preload_models",)

# What the first model and the first request of a client import.
_SHARED_MODULES = ("anyio._backends._asyncio", "genai_prices.data", "genai_prices.data_units")
_CHAT_MODULES = (
    "openai.resources.chat.chat",
    "openai.resources.chat.completions.completions",
    "openai.types.responses.response",  # pydantic-ai compares the type of each answer with it
)
_RESPONSES_MODULES = ("openai.resources.responses.responses",)
_RESPONSES_PROVIDERS = ("openai", "openai-responses")  # every other provider has the older protocol


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
            for name in get_model_modules(provider) if provider else (model,):  # "test"
                _import_client(name, provider)


def _import_client(name: str, provider: str) -> None:
    modules = [f"pydantic_ai.models.{name}", *_SHARED_MODULES]
    if name == "openai":
        has_responses = provider in _RESPONSES_PROVIDERS
        modules += _RESPONSES_MODULES if has_responses else _CHAT_MODULES
        modules.append("mastra_core.agents.pydantic_ai.openai_requests")
    for module in modules:
        with contextlib.suppress(ImportError):
            import_module(module)
