"""Why there was no answer, in a sentence, and what to do about it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from mastra_core.errors import ApiError, DeployError, DeployTimeout

__all__ = ("is_lasting", "unreachable")


def is_lasting(error: httpx.RequestError) -> bool:
    """Whether the same would happen again: a wrong name, certificate or proxy, a bad request."""
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return True
    if isinstance(error, httpx.ProxyError) and str(error).startswith("4"):
        return True
    return any(
        isinstance(cause, ssl.SSLCertVerificationError)
        or (isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN)
        for cause in _causes(error)
    )


def unreachable(request: httpx.Request, error: httpx.RequestError) -> DeployError:
    """Our error for one of httpx."""
    host = request.url.host
    where = f"{request.url.scheme}://{request.url.netloc.decode()}"
    if isinstance(error, httpx.TimeoutException):
        return DeployTimeout(f"{where} did not answer in time.", "Run the same command again.")
    message, hint = _explained(host, where, error)
    return ApiError(message, hint)


def _explained(host: str, where: str, error: httpx.RequestError) -> tuple[str, str]:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {where} is not trusted: {cause.verify_message}.",
                "Check the address; behind a proxy that opens TLS, set SSL_CERT_FILE to a file "
                "with its certificate.",
            )
        if isinstance(cause, socket.gaierror):
            return (
                f"The name {host!r} cannot be looked up: {cause.strerror}.",
                "Check the spelling of the address, and the network.",
            )
        if isinstance(cause, ConnectionRefusedError):
            return (
                f"{where} cannot be reached: nobody listens there.",
                "Check the address and that the service runs; then run the same command again.",
            )
    if isinstance(error, httpx.ProxyError):
        return (
            f"The proxy refused the way to {where}: {error}.",
            f"Check HTTPS_PROXY and its user and password, or go round it: NO_PROXY={host}.",
        )
    if isinstance(error, httpx.DecodingError):
        return f"{where} sent an answer that cannot be read: {error}.", "Run it again."
    words = str(error).rstrip(".") or type(error).__name__
    return (
        f"{where} cannot be reached: {words}.",
        "Check the network and the address; then run the same command again.",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that led to it; httpx keeps the system's own at the end."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
