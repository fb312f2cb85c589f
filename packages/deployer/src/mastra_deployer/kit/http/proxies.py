"""The proxies that the environment sets."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from mastra_deployer.trust.require_https import is_loopback

if TYPE_CHECKING:
    import httpx

__all__ = ("find_proxy", "format_proxy")


def find_proxy(url: httpx.URL) -> str | None:
    """Return the proxy for an address, or ``None``; this machine itself has no proxy.

    :param url: the address of a request.
    """
    if is_loopback(url.host) or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


def format_proxy(proxy: str) -> str:
    """Return the address of a proxy without its user and password.

    :param proxy: the address, which may be malformed.
    """
    scheme = urlsplit(proxy).scheme
    place = proxy.rpartition("@")[2].partition("://")
    host = (place[2] or place[0]).partition("/")[0]
    return f"{scheme}://{host}" if "://" in proxy else host
