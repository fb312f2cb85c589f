"""Refuse redirects of requests that store something in a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mastra_core.errors import ApiError

if TYPE_CHECKING:  # httpx is imported on connecting, so that mastra_target stays cheap
    import httpx

__all__ = ("refuse_redirect",)


def refuse_redirect(response: httpx.Response, registry: str) -> httpx.Response:
    """Raise an error if the response to a write request is a redirect.

    A redirect, for example to a login page, means that nothing was stored.

    :param response: response of the registry.
    :param registry: host of the registry.
    :returns: the same response.
    :raises ApiError: for a redirect.
    """
    if not response.is_redirect:
        return response
    request = response.request
    host = response.next_request.url.host if response.next_request else ""
    raise ApiError(
        f"{registry} responded to {request.method} {request.url.path} with {response.status_code}, "
        f"a redirect to {host!r}.",
        "Nothing was stored. Check the address of the registry, and any login page in front of the "
        "registry.",
        status=response.status_code,
    )
