"""Create the HTTP clients with which models send their requests.

The SDKs of OpenAI and Anthropic contain a client that uses aiohttp. aiohttp parses responses in C,
so a run of an agent takes about a quarter less processor time than with the default client. The
variable ``MASTRA_MODEL_CLIENT`` selects the client, because both behave differently in rare cases.
"""

from __future__ import annotations

import functools
import os
import sys
import urllib.request
from importlib import import_module
from typing import Any

from pydantic_ai.providers import Provider, infer_provider_class

from mastra_core.agents.providers import find_missing_modules, get_provider_modules
from mastra_core.errors import ConfigError

__all__ = ("create_http_client", "create_provider", "is_aiohttp_selected")

_SDKS = frozenset(("openai", "anthropic"))
_VARIABLE = "MASTRA_MODEL_CLIENT"
_DEFAULT, _AIOHTTP = "httpx2", "aiohttp"  # the values of the variable
_CONNECT_TIMEOUT = 5.0  # seconds, as in pydantic-ai's own client


def create_http_client(provider: str) -> Any:
    """Return a client that uses aiohttp; ``None`` if models use the default client.

    Models use the default client unless ``MASTRA_MODEL_CLIENT`` is ``aiohttp``. They always use it
    if the SDK of the provider has no client for aiohttp, for an unknown provider, for a gateway,
    for a SOCKS proxy of the environment, and on Pyodide, which has no sockets. The caller closes
    the returned client.

    :param provider: name of the provider.
    :raises ConfigError: when ``MASTRA_MODEL_CLIENT`` names an unknown client, or when the client
        for aiohttp cannot be created.
    """
    sdk = next((name for name in get_provider_modules(provider) if name in _SDKS), "")
    if not is_aiohttp_selected() or not sdk or "/" in provider or sys.platform == "emscripten":
        return None
    if any(url.startswith("socks") for url in urllib.request.getproxies().values()):
        return None
    try:
        infer_provider_class(provider)
    except (ImportError, ValueError):  # pydantic-ai's own error names the cure
        return None
    if find_missing_modules((_AIOHTTP,)):
        raise ConfigError(
            f"{_VARIABLE} is {_AIOHTTP!r}, but aiohttp is not installed.",
            f'Run: pip install "{sdk}[aiohttp]".',
        )
    try:
        # pydantic-ai's own client follows no redirect either.
        return _build_client_class(sdk)(follow_redirects=False)
    except (AttributeError, ImportError, RuntimeError) as error:
        raise ConfigError(
            f"{_VARIABLE} is {_AIOHTTP!r}, but the SDK {sdk!r} cannot use aiohttp: {error}.",
            f'Run: pip install --upgrade "{sdk}[aiohttp]".',
        ) from None


def is_aiohttp_selected() -> bool:
    """Return whether ``MASTRA_MODEL_CLIENT`` selects aiohttp.

    :raises ConfigError: when the variable names an unknown client.
    """
    choice = os.environ.get(_VARIABLE, "")
    if choice not in ("", _DEFAULT, _AIOHTTP):
        raise ConfigError(
            f"{_VARIABLE}={choice!r} names no HTTP client.",
            f"Set the variable to {_DEFAULT} or {_AIOHTTP}, or remove it.",
        )
    return choice == _AIOHTTP


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
            _limit_connect_timeout(request)
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
            except ValueError as error:  # a header that aiohttp refuses
                raise httpx2.LocalProtocolError(str(error), request=request) from error
            return response

    return AiohttpClient


def _limit_connect_timeout(request: Any) -> None:
    """Limit the time to connect, unless the caller has set the phases of the timeout one by one.

    A number of seconds in the model settings is meant for the whole request.
    """
    phases: dict[str, float | None] = request.extensions.get("timeout") or {}
    if len({*phases.values()}) == 1:
        seconds = min(phases.get("connect") or _CONNECT_TIMEOUT, _CONNECT_TIMEOUT)
        request.extensions = {**request.extensions, "timeout": {**phases, "connect": seconds}}
