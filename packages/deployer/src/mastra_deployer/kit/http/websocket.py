"""Read a WebSocket line by line; needs the extra ``websocket``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from mastra_core.errors import ApiError, AuthError, ConfigError, DeployTimeout
from mastra_deployer.output.masking import mask
from mastra_deployer.trust.host_policy import require_consent
from mastra_deployer.trust.require_https import is_loopback, require_https

if TYPE_CHECKING:
    import httpx

__all__ = ("iter_websocket_lines",)

_MAX_MESSAGE = 1 << 20  # bytes
_REJECTED = (401, 403)


def iter_websocket_lines(
    url: str,
    *,
    home: str,
    subprotocol: str = "",
    headers: Mapping[str, str] | None = None,
    messages: Iterable[str] = (),
    timeout: float = 60,
) -> Iterator[str]:
    """Yield the lines of all messages, until the server closes the connection.

    ``url`` follows the rules of ``connect`` for an address that a response names.

    :param url: a wss address; a ws address is allowed for this machine only.
    :param home: address of the platform's API, whose response may have contained ``url``.
    :param subprotocol: the subprotocol to request from the server; none if empty.
    :param headers: headers of the request that opens the connection, such as ``Authorization``.
    :param messages: messages to send before the first message is read.
    :param timeout: seconds to wait for the connection.
    :raises ConsentError: for a host that only the project's files name.
    :raises ConfigError: for an unencrypted ``home``, and where ``websockets`` is not installed.
    :raises AuthError: when the server answers 401 or 403.
    :raises ApiError: when the connection fails, a message has more than 1 MiB, or ``url`` is
        unencrypted or in a private network and ``home`` is not, or is no address.
    :raises DeployTimeout: when the server does not accept the connection in time.
    """
    address = _check_address(_to_http(url), _to_http(home))
    try:
        from websockets.sync.client import connect
        from websockets.typing import Subprotocol
    except ImportError:
        raise ConfigError(
            "The package websockets is not installed.",
            'Install it: pip install "mastra-deployer[websocket]".',
        ) from None
    with (
        _translate_errors(address.netloc.decode("ascii")),
        connect(
            url,
            subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
            additional_headers=dict(headers or {}),
            open_timeout=timeout,
            max_size=_MAX_MESSAGE,
            proxy=None if is_loopback(address.host) else True,
        ) as connection,
    ):
        for message in messages:
            connection.send(message)
        for received in connection:
            text = received if isinstance(received, str) else received.decode(errors="replace")
            lines = text.split("\n")  # `splitlines` would also split at U+2028, which JSON may have
            yield from (line.removesuffix("\r") for line in lines[: None if lines[-1] else -1])


@contextlib.contextmanager
def _translate_errors(host: str) -> Iterator[None]:
    """Raise errors of mastra for errors of the connection to a host."""
    from websockets.exceptions import InvalidStatus, WebSocketException

    try:
        yield
    except InvalidStatus as error:
        status = error.response.status_code
        message = f"{host} responded to a WebSocket request with {status}."
        if status in _REJECTED:
            raise AuthError(message, "Check the token and its permissions.") from error
        raise ApiError(message, "Run the same command again.", status=status) from error
    except TimeoutError as error:
        raise DeployTimeout(f"{host} did not respond in time.", "Try again later.") from error
    except (OSError, WebSocketException) as error:
        raise ApiError(
            f"The WebSocket to {host} failed: {mask(str(error)).rstrip('.')}.",
            "Check the network. Then run the same command again.",
        ) from error


def _to_http(url: str) -> str:
    """Return the WebSocket address with the scheme ``http`` or ``https``."""
    return url.replace("ws", "http", 1) if url.startswith(("ws:", "wss:")) else url


def _check_address(url: str, home: str) -> httpx.URL:
    """Return the parsed address; raise an error if credentials must not be sent to it."""
    import httpx  # loaded on use: importing the kit must not load httpx

    from mastra_deployer.kit.http.destinations import check_destination, parse_address

    require_https(home)
    origin = httpx.URL(home)
    address = parse_address(url, origin.host)
    check_destination(origin, address)
    require_consent(url)
    return address
