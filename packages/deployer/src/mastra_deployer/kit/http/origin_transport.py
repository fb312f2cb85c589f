"""Send requests through connection pools, with the proxies of the environment.

Certificates are always verified. Certificate authorities are loaded before the first https request.
Loading the authorities takes longer than a whole request to a local server, which needs none.
"""

from __future__ import annotations

import os
import threading

import httpx

from mastra_core.errors import ConfigError
from mastra_deployer.kit.http.destinations import check_destination
from mastra_deployer.kit.http.proxies import find_proxy, format_proxy
from mastra_deployer.kit.http.response_deadline import enforce_deadlines

__all__ = ("OriginTransport",)

_MAX_CONNECTIONS = 32
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # in the order in which httpx reads them


class OriginTransport(httpx.BaseTransport):
    """A transport for requests to a platform, and to hosts in the platform's responses.

    :param base_url: address of the platform; its connection pool is created at once.
    :raises ConfigError: for a proxy of an unsupported kind, or unreadable certificates.
    """

    def __init__(self, base_url: str) -> None:
        self._pools: dict[tuple[str, str], httpx.HTTPTransport] = {}
        self._lock = threading.Lock()
        self._home = httpx.URL(base_url)
        self._get_pool(self._home)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request.

        :param request: the request as httpx built it.
        :raises ApiError: for an address that the platform must not refer to.
        """
        check_destination(self._home, request.url)
        return self._get_pool(request.url).handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def _get_pool(self, url: httpx.URL) -> httpx.HTTPTransport:
        key = (url.scheme, find_proxy(url) or "")
        with self._lock:
            if key not in self._pools:
                self._pools[key] = _create_pool(url, key[1] or None)
            return self._pools[key]


def _create_pool(url: httpx.URL, proxy: str | None) -> httpx.HTTPTransport:
    secure = url.scheme == "https" or (proxy or "").startswith("https:")
    limits = httpx.Limits(max_connections=_MAX_CONNECTIONS)
    try:
        transport = httpx.HTTPTransport(proxy=proxy, limits=limits, verify=secure)
    except (ImportError, ValueError):  # socks without its package; an unknown scheme
        raise ConfigError(
            f"The proxy {format_proxy(proxy or '')!r}, which the environment sets, has an "
            "unsupported scheme.",
            f"Use an http proxy, or bypass the proxy: NO_PROXY={url.host}.",
        ) from None
    except OSError as error:  # an ssl.SSLError, too
        variable = next((name for name in _CERTIFICATES if os.environ.get(name)), None)
        if variable is None:
            raise
        raise ConfigError(
            f"{variable} names {os.environ[variable]!r}, which cannot be read as certificates: "
            f"{error.strerror or error}.",
            f"Correct {variable}, or unset it.",
        ) from None
    enforce_deadlines(transport)
    return transport
