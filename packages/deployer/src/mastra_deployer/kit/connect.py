"""Builds an ``httpx.Client`` that authorizes, retries and raises errors with a hint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from mastra_core.errors import ConfigError
from mastra_core.secret import Secret
from mastra_deployer.kit.require_https import is_loopback, require_https

if TYPE_CHECKING:  # httpx is loaded on use: importing the kit in ``mastra_target`` must cost little
    import httpx

__all__ = ("connect",)


def connect(
    base_url: str,
    token: Secret | None = None,
    *,
    auth: httpx.Auth | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 60,
    name: str = "",
) -> httpx.Client:
    """Return a client for one platform's API; it may be shared between threads.

    Idempotent requests are repeated after 408, 425, 429, 5xx and lost connections, six attempts
    in all. Other requests are repeated only where the platform certainly did not begin: the
    connection was refused, 429, a 403 with a used-up allowance, or 503 with ``Retry-After``. A
    wait that the platform states is kept, up to a minute, for twelve attempts in all. A body that
    cannot be sent twice is sent once.

    A request may carry in ``extensions=``: ``{"mastra_idempotent": True}``, which declares a POST
    safe to repeat (``False``: a PUT unsafe), and ``{"mastra_accept": (404, 409)}``, which returns
    responses of these statuses. All other statuses of 400 and above raise.

    Authorization and ``headers`` are sent to the origin of ``base_url`` only. Redirects are
    followed only where a request asks for it. ``client.stream`` reads a response in parts.

    :param base_url: https, or http to this machine only.
    :param token: sent as ``Authorization: Bearer``.
    :param auth: another way to authorize, in place of ``token``; it handles a 401 first.
    :param headers: sent with every request to the origin of ``base_url``.
    :param timeout: seconds for each network operation.
    :param name: the platform's name in errors; its host where empty.
    :returns: the client; close it, or use it as a context manager.
    :raises ConfigError: for an address that would send the token unencrypted, and for a proxy
        of an unsupported kind.
    :raises AuthError: (on use) for 401 and 403.
    :raises ApiError: (on use) with the platform's own message, in which secrets are masked.
    :raises DeployTimeout: (on use) when there is no response in time.
    """
    require_https(base_url)
    from mastra_deployer.kit.client import PlatformClient

    return PlatformClient(
        base_url,
        name=name,
        token=token,
        auth=auth,
        headers=dict(headers or {}),
        timeout=timeout,
        transport=_build_transport(base_url),
    )


def _build_transport(base_url: str) -> httpx.HTTPTransport:
    """Return a transport through the environment's proxy, where one applies to the address."""
    import httpx

    proxy = _find_proxy(base_url)
    try:
        # Loading all certificate authorities takes longer than a request to this machine.
        secure = base_url.startswith("https:") or (proxy or "").startswith("https:")
        limits = httpx.Limits(max_connections=32)
        return httpx.HTTPTransport(proxy=proxy, limits=limits, verify=secure)
    except (ImportError, ValueError):  # socks without its package; an unknown scheme
        address = urlparse(proxy or "")
        raise ConfigError(
            f"The environment's proxy {f'{address.scheme}://{address.hostname}'!r} is of an "
            "unsupported kind.",
            f"Use an http proxy, or bypass it: NO_PROXY={urlparse(base_url).hostname}.",
        ) from None


def _find_proxy(base_url: str) -> str | None:
    address = urlparse(base_url)
    if is_loopback(address.hostname) or proxy_bypass(address.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(address.scheme) or proxies.get("all")
