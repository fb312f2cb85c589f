"""Convert a failed connection to an error with its cause and a cure."""

from __future__ import annotations

import socket
import ssl

import httpx

from mastra_core.errors import ApiError, DeployError, DeployTimeout
from mastra_deployer.kit.http.proxies import find_proxy, format_proxy
from mastra_deployer.project.exception_chain import iter_causes

__all__ = ("is_permanent", "to_deploy_error")

_NO_TLS = ("HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "WRONG_VERSION_NUMBER")


def is_permanent(error: httpx.RequestError) -> bool:
    """Return whether a retry would certainly fail in the same way.

    The result is true for an unknown host, an untrusted certificate, a service without TLS, a
    refusal by a proxy, and an invalid request.

    :param error: the exception of httpx.
    """
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return True
    if isinstance(error, httpx.ProxyError) and str(error).startswith("4"):
        return True
    return any(
        isinstance(cause, ssl.SSLCertVerificationError)
        or _is_plain_http(cause)
        or (isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN)
        for cause in iter_causes(error)
    )


def to_deploy_error(request: httpx.Request, error: httpx.RequestError) -> DeployError:
    """Convert an error of httpx to ``DeployTimeout`` or ``ApiError``.

    :param request: the request that failed.
    :param error: the exception of httpx.
    """
    host = request.url.host
    origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
    if isinstance(error, httpx.TimeoutException):
        return DeployTimeout(f"{origin} did not respond in time.", "Run the same command again.")
    proxy = find_proxy(request.url)
    if proxy and _is_unconnected(error):
        return ApiError(
            f"The proxy {format_proxy(proxy)}, which the environment sets, cannot be reached: "
            f"{str(error).rstrip('.') or type(error).__name__}.",
            f"Correct HTTPS_PROXY. Or bypass the proxy: NO_PROXY={host}.",
        )
    message, hint = _explain(host, origin, error)
    return ApiError(message, hint)


def _explain(host: str, origin: str, error: httpx.RequestError) -> tuple[str, str]:
    """Return the message and the hint for a failed connection."""
    for cause in iter_causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {origin} is not trusted: {cause.verify_message.rstrip('.')}.",
                "Check the address. If a proxy intercepts TLS, set SSL_CERT_FILE to a file with "
                "the proxy's certificate.",
            )
        if _is_plain_http(cause):
            return (
                f"{origin} does not answer with TLS.",
                "Check the port. A service on this machine may have an http:// address.",
            )
        if isinstance(cause, socket.gaierror):
            return (
                f"The host name {host!r} cannot be resolved: {cause.strerror}.",
                "Check the spelling of the address, and the network.",
            )
        if isinstance(cause, ConnectionRefusedError):
            return (
                f"{origin} cannot be reached: the connection was refused.",
                "Check the address, and that the service is running. Then run the same command "
                "again.",
            )
    if isinstance(error, httpx.ProxyError):
        return (
            f"The proxy rejected the connection to {origin}: {error}.",
            f"Check HTTPS_PROXY with its user and password. Or bypass the proxy: NO_PROXY={host}.",
        )
    if isinstance(error, httpx.DecodingError):
        return (
            f"The response of {origin} cannot be decoded: {error}.",
            "Run the same command again.",
        )
    detail = str(error).rstrip(".") or type(error).__name__
    return (
        f"{origin} cannot be reached: {detail}.",
        "Check the network and the address. Then run the same command again.",
    )


def _is_unconnected(error: httpx.RequestError) -> bool:
    """Return whether there was no connection: a failure of TLS needs one."""
    is_tls = any(isinstance(cause, ssl.SSLError) for cause in iter_causes(error))
    return isinstance(error, httpx.ConnectError) and not is_tls


def _is_plain_http(cause: BaseException) -> bool:
    """Return whether the server answered a TLS handshake in plain text."""
    return isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS
