"""A configured ``httpx.Client``: authorised, patient where that is safe, and clear when not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import getproxies, proxy_bypass

from mastra_core.errors import ConfigError
from mastra_core.secret import Secret
from mastra_deployer.kit.require_https import is_loopback, require_https

if TYPE_CHECKING:  # loaded when somebody connects: asking for a target's facts must cost little
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
    """A client for one platform's API; may be shared between threads.

    Idempotent requests are repeated on 408, 425, 429, 5xx and broken connections, at most six
    times. Others only where the platform certainly did not begin: nobody listened, 429, a used-up
    allowance, 503 with a time to come again. The platform's own word on when is kept, in any
    of its forms, up to a minute; twelve times then. A body that cannot be sent twice is not.

    What a request may carry in ``extensions=``: ``{"mastra_idempotent": True}`` declares a POST
    safe to repeat (``False`` a PUT unsafe); ``{"mastra_accept": (404, 409)}`` has these answers
    returned. All others of 400 and more raise.

    Authorisation and ``headers`` go to the host of ``base_url`` only; redirects are not followed
    unless a request asks for it. ``client.stream`` reads an answer piece by piece.

    :param base_url: https, or http to this machine only.
    :param token: sent as ``Authorization: Bearer``.
    :param auth: another way to authorise, in place of ``token``; it sees 401 before anybody.
    :param timeout: seconds for each network operation.
    :param name: what the platform is called in errors; its host where left out.
    :raises ConfigError: for an address that would send the token in the clear, and for a proxy
        that cannot be used.
    :raises AuthError: (on use) for 401 and 403.
    :raises ApiError: (on use) with the platform's own words, without what is secret in them.
    :raises DeployTimeout: (on use) when there is no answer in time.
    """
    require_https(base_url)
    from mastra_deployer.kit.client import PlatformClient

    return PlatformClient(
        base_url,
        called=name,
        token=token,
        auth=auth,
        headers=dict(headers or {}),
        timeout=timeout,
        transport=_transport(base_url),
    )


def _transport(base_url: str) -> httpx.HTTPTransport:
    """Through the proxy of the environment, where there is one for this address."""
    import httpx

    proxy = _proxy(base_url)
    try:
        # Reading all certificate authorities takes longer than a request to this machine.
        secure = base_url.startswith("https:") or (proxy or "").startswith("https:")
        limits = httpx.Limits(max_connections=32)
        return httpx.HTTPTransport(proxy=proxy, limits=limits, verify=secure)
    except (ImportError, ValueError):  # socks without its package; another kind
        shown = urlparse(proxy or "")
        raise ConfigError(
            f"The proxy {f'{shown.scheme}://{shown.hostname}'!r} of the environment is of a kind "
            "that is not supported.",
            f"Use one that speaks http, or go round it: NO_PROXY={urlparse(base_url).hostname}.",
        ) from None


def _proxy(base_url: str) -> str | None:
    address = urlparse(base_url)
    if is_loopback(address.hostname) or proxy_bypass(address.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(address.scheme) or proxies.get("all")
