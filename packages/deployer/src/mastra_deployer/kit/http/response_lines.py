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

    :param response: a response from ``client.stream``; bytes that are not UTF-8 are replaced.
    :param limit: the largest number of bytes in a line.
    :raises ApiError: when a line is longer than the limit.
    """
    line = bytearray()
    for chunk in response.iter_raw():
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            line += chunk[start:end]
            _check_length(response.request, line, limit)
            yield line.decode(errors="replace").removesuffix("\r")
            line.clear()
            start = end + 1
        line += chunk[start:]
        _check_length(response.request, line, limit)
    if line:
        yield line.decode(errors="replace")


def _check_length(request: httpx.Request, line: bytearray, limit: int) -> None:
    if len(line) > limit:
        raise ApiError(
            f"{request.url.host} sent a line of more than {limit:,} bytes in its response to "
            f"{request.method} {request.url.path}.",
            "Check the address of the platform, and any proxy in between.",
        )
