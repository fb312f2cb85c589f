"""Create the HTTP clients with which models send their requests.

The SDKs of OpenAI and Anthropic contain a client that uses aiohttp. aiohttp parses responses in C,
so a run of an agent takes about a quarter less processor time than with the default client.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib import import_module
from typing import Any

from pydantic_ai.providers import Provider, infer_provider_class

from mastra_core.agents.providers import find_missing_modules, get_provider_modules
from mastra_core.errors import ConfigError

__all__ = ("create_http_client", "create_provider")

_SDKS = frozenset(("openai", "anthropic"))
_VARIABLE = "MASTRA_MODEL_CLIENT"
_DEFAULT, _FAST = "httpx2", "aiohttp"  # the values of the variable


def create_http_client(provider: str) -> Any:
    """Return a client that uses aiohttp; ``None`` if models use the default client.

    Models use the default client if aiohttp is not installed, if ``MASTRA_MODEL_CLIENT`` is
    ``httpx2``, if the SDK of the provider has no client for aiohttp, or if the provider is unknown.
    On Pyodide, models use the default client, because aiohttp needs sockets. The caller closes the
    returned client.

    :param provider: name of the provider.
    :raises ConfigError: when ``MASTRA_MODEL_CLIENT`` names an unknown client, or aiohttp although
        it is not installed.
    """
    sdk = next((name for name in get_provider_modules(provider) if name in _SDKS), "")
    if not sdk or sys.platform == "emscripten" or _choose_client() == _DEFAULT:
        return None
    try:
        infer_provider_class(provider)
        # pydantic-ai's own client follows no redirect either.
        return _build_client_class(sdk)(follow_redirects=False)
    except (ImportError, ValueError):  # the SDK is not installed, or the provider is unknown
        return None
    except (AttributeError, RuntimeError):  # the SDK is too old, or needs a newer aiohttp
        return None


def _choose_client() -> str:
    choice = os.environ.get(_VARIABLE, "")
    if choice not in ("", _DEFAULT, _FAST):
        raise ConfigError(
            f"{_VARIABLE}={choice!r} names no HTTP client.",
            f"Set the variable to {_DEFAULT} or {_FAST}, or remove it.",
        )
    is_missing = bool(find_missing_modules((_FAST,)))
    if choice == _FAST and is_missing:
        raise ConfigError(
            f"{_VARIABLE} is {_FAST!r}, but aiohttp is not installed.",
            'Run: pip install "openai[aiohttp]".',
        )
    return choice or (_DEFAULT if is_missing else _FAST)


def create_provider(name: str, client: Any) -> Provider[Any]:
    """Create the provider of a model string.

    :param name: name of the provider.
    :param client: the HTTP client of the provider.
    :raises UserError: when the provider has no key.
    """
    provider_class: Any = infer_provider_class(name)
    provider: Provider[Any] = provider_class(http_client=client)
    return provider


@functools.cache
def _build_client_class(sdk: str) -> Any:
    """Build the class of the clients for an SDK.

    The client of OpenAI's SDK reports a closed connection as a timeout. If a response is invalid,
    this client raises errors of aiohttp, which the SDK does not expect. The class raises errors of
    httpx2 that fit.

    :param sdk: the module of the SDK.
    :raises AttributeError: when the SDK has no client for aiohttp.
    """
    import aiohttp
    import httpx2

    base: Any = import_module(sdk).DefaultAioHttpClient

    class AiohttpClient(base):  # type: ignore[misc]  # the class depends on the SDK
        async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
            """Send a request.

            :param request: the request.
            :param options: options of ``httpx2.AsyncClient.send``.
            """
            try:
                response: httpx2.Response = await super().send(request, **options)
            except httpx2.ConnectTimeout as error:
                cause = error.__cause__
                if isinstance(cause, TimeoutError) or not isinstance(
                    cause, aiohttp.ClientConnectionError
                ):
                    raise
                raise httpx2.ConnectError(str(error), request=request) from cause
            except aiohttp.ClientError as error:
                raise httpx2.RemoteProtocolError(str(error), request=request) from error
            return response

    return AiohttpClient
