"""Convert errors that the content of a response causes."""

from __future__ import annotations

import contextlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mastra_core.errors import ApiError

if TYPE_CHECKING:
    import httpx

__all__ = ("convert_response_errors", "refuse_web_page")

_WRONG_CONTENT = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


@contextlib.contextmanager
def convert_response_errors(name: str) -> Iterator[None]:
    """Within the block, convert errors about a response's fields and types to ``ApiError``.

    Without this conversion, a ``KeyError`` from ``response.json()["id"]``, for example, would look
    like a defect of the deployer.

    :param name: the platform's name in the error.
    :raises ApiError: for the exceptions that wrong content causes.
    """
    from httpx import InvalidURL  # loaded on use: importing the kit must not load httpx

    try:
        yield
    except (*_WRONG_CONTENT, InvalidURL, RecursionError) as error:
        raise ApiError(
            f"A response from {name} has unexpected content: {type(error).__name__}: {error}.",
            "Check the address of the platform and any proxy. If both are correct, report this "
            "with the traceback that the command prints with -v.",
        ) from error


def refuse_web_page(response: httpx.Response) -> None:
    """Raise an error for a web page in response to a change.

    Proxies of companies and the login pages of networks block uploads and deletes with a page and
    the status 200. Callers that ignore the body of the response would report success.

    :param response: a successful response, which may be a stream.
    :raises ApiError: for a page in response to another method than GET and HEAD.
    """
    request = response.request
    is_page = response.headers.get("content-type", "").lower().startswith("text/html")
    if request.method in ("GET", "HEAD") or not is_page or not response.is_stream_consumed:
        return
    # Some servers send JSON with the default type of their framework.
    if response.content.lstrip(BOM_UTF8 + b" \t\r\n").startswith(b"<"):
        raise ApiError(
            f"{request.url.host} responded to {request.method} {request.url.path} with a web page.",
            "Check the address of the platform, and any proxy in between.",
        )
