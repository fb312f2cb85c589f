"""Parse and check the addresses in a platform's responses: redirects, uploads, token servers."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import httpx

from mastra_core.errors import ApiError
from mastra_deployer.trust.require_https import is_loopback

__all__ = ("build_address_error", "check_destination", "is_same_origin", "parse_address")


def parse_address(text: str, platform: str) -> httpx.URL:
    """Parse the address of a request, which may come from a response.

    :param text: the address, or a path below the address of the API.
    :param platform: the platform's name in the error.
    :raises ApiError: when the text is not a valid address, or the host name is not valid in DNS.
    """
    try:
        address = httpx.URL(text)
        address.host.encode("idna")  # the look-up of the name does the same
        _ = urlsplit(text).port  # raises for a port above 65535, and for single brackets
    except (httpx.InvalidURL, ValueError) as error:
        raise build_address_error(platform, error) from error
    return address


def build_address_error(platform: str, error: Exception) -> ApiError:
    """Return the error for an invalid address, without the address, which may have a signature.

    :param platform: the platform's name in the error.
    :param error: the exception of httpx or Python that says what is wrong with the address.
    """
    return ApiError(
        f"A request to {platform} has an invalid address: {str(error).rstrip('.')}.",
        f"If the address is from a response of {platform}, ask the operator of {platform} why.",
    )


def is_same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Return whether two addresses have the same scheme, host and port.

    :param one: an absolute address.
    :param other: an absolute address.
    """
    return (one.scheme, one.host, _get_port(one)) == (other.scheme, other.host, _get_port(other))


def check_destination(home: httpx.URL, url: httpx.URL) -> None:
    """Raise an error if a platform's response sends the client to an address that is not allowed.

    A platform on the internet may refer to other https addresses on the internet, but not to this
    machine, to its network, or to the metadata service of a cloud.

    :param home: the address that the client was opened for.
    :param url: the address of a request.
    :raises ApiError: for an unencrypted address, and for an address that is not on the internet.
    """
    if is_same_origin(url, home):
        return
    is_local = is_loopback(home.host) and is_loopback(url.host)
    if url.scheme != "https" and not (url.scheme == "http" and is_local):
        _raise_refused(home, url, "is not encrypted")
    if _is_private(url.host) and not _is_private(home.host):
        _raise_refused(home, url, "is not on the internet")


def _raise_refused(home: httpx.URL, url: httpx.URL, reason: str) -> None:
    address = f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
    raise ApiError(
        f"A response from {home.host} contains the address {address!r}, which {reason}.",
        f"Nothing was sent to that address. Ask the operator of {home.host} why the response "
        "contains the address.",
    )


def _get_port(url: httpx.URL) -> int | None:
    return url.port or {"https": 443, "http": 80}.get(url.scheme)


def _is_private(host: str) -> bool:
    """Return whether a host is an address of this machine or of a private network."""
    host = host.rstrip(".")  # the final dot of a complete name
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            # The system accepts the older forms of an address too, such as 127.1 and 0x7f000001.
            address = ipaddress.ip_address(socket.inet_aton(host))
        except OSError:
            return False
    return not (getattr(address, "ipv4_mapped", None) or address).is_global
