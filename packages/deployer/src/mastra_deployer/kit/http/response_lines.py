"""Read a streamed response line by line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mastra_core.errors import ApiError

if TYPE_CHECKING:  # importing the kit must not load httpx
    import httpx

__all__ = ("iter_lines",)


def iter_lines(response: httpx.Response, limit: int = 1 << 20) -> Iterator[str]:
    """Yield the lines of a streamed response, without line ends.

    :param response: from ``client.stream``; bytes that are not UTF-8 are replaced.
    :param limit: bytes of a line at most.
    :raises ApiError: when a line is longer.
    """
    rest = b""
    for chunk in response.iter_raw():
        *lines, rest = (rest + chunk).split(b"\n")
        if max(map(len, (*lines, rest))) > limit:
            request = response.request
            raise ApiError(
                f"{request.url.host} sent a line of more than {limit:,} bytes in its response to "
                f"{request.method} {request.url.path}.",
                "Check the address, and any proxy between this machine and the platform.",
            )
        yield from (line.decode(errors="replace").removesuffix("\r") for line in lines)
    if rest:
        yield rest.decode(errors="replace")
