"""Read the body of a response up to a limit, also if it is compressed."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import httpx

from mastra_core.errors import ApiError

__all__ = ("BufferedResponse", "ResponseLimits", "iter_limited", "read_response")

_MAX_ERROR = 1 << 20  # bytes of a response whose body is only a message
_STEP = 1 << 20  # bytes that are decompressed at once
_DECODABLE = ("gzip", "x-gzip", "deflate")
# A platform cannot choose a codec that decompresses or fails, such as ``bz2`` and ``hex``.
_CHARSETS = ("utf-8", "utf-16", "us-ascii", "iso-8859-1", "windows-1252")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResponseLimits:
    """The limits of one response.

    :param size: maximum bytes of the body, decompressed; ``None`` for no limit.
    :param seconds: maximum duration, from the end of the request; ``None`` for no limit.
    """

    size: int | None
    seconds: float | None

    def override(self, extensions: dict[str, Any]) -> ResponseLimits:
        """Return these limits, with changes from a request's extensions.

        :param extensions: the extensions of the request, such as ``mastra_max_size`` and
            ``mastra_max_seconds``.
        """
        return ResponseLimits(
            size=extensions.get("mastra_max_size", self.size),
            seconds=extensions.get("mastra_max_seconds", self.seconds),
        )


class BufferedResponse(httpx.Response):
    """A response with its body; ``json`` raises errors of mastra."""

    @property
    def text(self) -> str:
        """The body as text; bytes that the charset does not have are replaced."""
        charset = (self.charset_encoding or "").lower()
        return self.content.decode(charset if charset in _CHARSETS else "utf-8", "replace")

    def json(self, **options: Any) -> Any:
        """Return the body as parsed JSON.

        :param options: further arguments of ``json.loads``.
        :raises ApiError: when the body is not JSON, or is nested too deeply.
        """
        try:
            return super().json(**options)
        except (ValueError, RecursionError):
            _raise_not_json(self.request)


def read_response(
    request: httpx.Request, response: httpx.Response, limit: int | None
) -> httpx.Response:
    """Read the body of a response, and return the response with its body.

    The body of an error or a redirect is only a message, so it is cut at the limit. For any other
    body, exceeding the limit is an error.

    :param request: the request that the response answers.
    :param response: the response, whose stream has not been read.
    :param limit: the largest number of bytes of the decompressed body; ``None`` for no limit.
    :raises ApiError: when the body is larger than the limit.
    :raises httpx.DecodingError: when the body cannot be decompressed.
    """
    is_message = not response.is_success
    limit = _MAX_ERROR if is_message else limit
    chunks = _decode(request, response, _iter_raw(response))
    body = bytearray()
    try:
        for chunk in chunks:
            body += chunk
            if limit is not None and len(body) > limit:
                if is_message:
                    break
                _raise_too_large(request, limit)
    finally:
        response.stream.close()  # type: ignore[union-attr]  # the stream of a synchronous transport
    return BufferedResponse(
        response.status_code,
        headers=_remove_encoding(response.headers),
        stream=httpx.ByteStream(bytes(body[:limit])),
        extensions=response.extensions,
    )


def iter_limited(
    request: httpx.Request, chunks: Iterable[bytes], limit: int | None
) -> Iterator[bytes]:
    """Yield the chunks of a streamed body.

    :param request: the request that the response answers.
    :param chunks: the chunks of the body.
    :param limit: the largest number of bytes of all chunks together; ``None`` for no limit.
    :raises ApiError: when the body is larger than the limit.
    """
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if limit is not None and size > limit:
            _raise_too_large(request, limit)
        yield chunk


def _iter_raw(response: httpx.Response) -> Iterator[bytes]:
    yield from response.stream  # type: ignore[misc]  # the stream of a synchronous transport


def _decode(
    request: httpx.Request, response: httpx.Response, chunks: Iterator[bytes]
) -> Iterator[bytes]:
    """Decompress in small steps, so that a small body does not become huge in one step."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        yield from chunks
        return
    if encoding not in _DECODABLE:
        raise httpx.DecodingError(f"the encoding {encoding!r} is not supported", request=request)
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as the first bytes say
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                yield decoder.decompress(rest, _STEP)
                rest = decoder.unconsumed_tail
        yield decoder.flush()
    except zlib.error as error:
        raise httpx.DecodingError(str(error), request=request) from None


def _remove_encoding(headers: httpx.Headers) -> httpx.Headers:
    """Return the headers of the decompressed body."""
    if "content-encoding" in headers:
        headers = headers.copy()
        del headers["content-encoding"]
        headers.pop("content-length", None)
    return headers


def _raise_too_large(request: httpx.Request, limit: int) -> NoReturn:
    raise ApiError(
        f"{request.url.host} responded to {request.method} {request.url.path} with more than "
        f"{limit:,} bytes.",
        "Check the address of the platform, and any proxy in between.",
    )


def _raise_not_json(request: httpx.Request) -> NoReturn:
    raise ApiError(
        f"{request.url.host} responded to {request.method} {request.url.path} with a text that is "
        "not JSON.",
        "Check the address of the platform, and any proxy in between.",
    )
