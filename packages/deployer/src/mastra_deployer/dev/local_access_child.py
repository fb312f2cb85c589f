"""Decide which web pages may send requests to a server on the developer's machine.

Every website that the developer visits can send requests to this machine. A site can also let its
own name resolve to a loopback address (DNS rebinding), so a server also checks the host name in
each request's ``Host`` header. The module also runs in the project's Python, so it imports only the
standard library.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ("LocalAccess",)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104  # compared, not bound
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\s\[\]:/?#@]+?)\.?(?::(\d+))?")
_ORIGIN = re.compile(r"https?://([^/?#]*)")  # also matches the start of a Referer
_SHOWN = 100  # characters of a header that the error quotes
_Values = Mapping[str, Sequence[str]]


class LocalAccess:
    """The hosts and origins that a server accepts.

    :param command: the command that runs the server, which the errors name.
    :param address: the address that the server listens on.
    :param hosts: further host names of the server, whose pages may also send requests.
    :param origins: origins that the app's CORS settings allow; ``*`` is ignored. ``None`` for an
        app without CORS settings.
    :cvar frame_policy: the header ``Content-Security-Policy`` of pages. No page of another origin
        may frame them, and guide the clicks of a user. A browser reports a frame to the server only
        if the connection is encrypted or local, so a refusal of frames is not sufficient.
    """

    frame_policy = "frame-ancestors 'self'"

    def __init__(
        self,
        command: str,
        address: str,
        hosts: Iterable[str] = (),
        origins: Collection[str] | None = None,
    ) -> None:
        self._command = command
        self._page_hosts = {*_LOOPBACK, *hosts}
        self._server_names = {*self._page_hosts, address.lower()}
        self._any_address = address in _WILDCARDS
        if self._any_address:
            self._server_names |= _get_machine_names()
        self._origins = None if origins is None else {*origins} - {"*"}

    def find_problem(self, method: str, headers: Iterable[tuple[str, str]]) -> str:
        """Return the reason for which a request is refused, and the cure; empty if it is accepted.

        :param method: the HTTP method.
        :param headers: names and values.
        """
        values: dict[str, list[str]] = {}
        for name, value in headers:
            values.setdefault(name.strip().lower(), []).append(value.strip())
        hosts = values.get("host", [])  # a browser always sends it
        for host in hosts:
            if not self._is_server_name(_parse_authority(host)[0]):
                return self._describe_host(host)
        for origin in values.get("origin", []):
            if not self._accepts_origin(origin, hosts):
                return self._describe_origin(origin)
        if self._is_foreign_load(method, values, hosts):
            return self._describe_origin(_get_last(values, "referer"))
        return ""

    def is_loopback_request(self, client: str, host: str) -> bool:
        """Return whether the request came from this machine and names a loopback host.

        :param client: address of the client.
        :param host: the header ``Host``.
        """
        return client in _LOOPBACK and _parse_authority(host)[0] in _LOOPBACK

    def _is_server_name(self, name: str) -> bool:
        """Return whether a host is a name or an address of the server.

        A website can let its own host name resolve to this machine, but it cannot do so with an IP
        address. Therefore a server that listens on all addresses accepts any IP address as its
        name.
        """
        return name in self._server_names or (self._any_address and _is_address(name))

    def _accepts_origin(self, origin: str, hosts: Sequence[str]) -> bool:
        """Return whether an origin is configured, is on this machine, or is the server's own."""
        if self._origins and origin in self._origins:
            return True
        match = _ORIGIN.fullmatch(origin.lower())
        authority = _parse_authority(match[1]) if match else ("", "")
        if not authority[0]:
            return False
        return authority[0] in self._page_hosts or authority in map(_parse_authority, hosts)

    def _is_foreign_load(self, method: str, values: _Values, hosts: Sequence[str]) -> bool:
        """Return whether a page of another site loads an image, a script or a frame.

        A browser sends no ``Origin`` header when it loads an image, a script or a frame. Links are
        accepted, because the page with the link cannot read the response.
        """
        site = _get_last(values, "sec-fetch-site")
        if "origin" in values or site not in ("cross-site", "same-site"):
            return False
        if site == "same-site" and all(_parse_authority(host)[0] in _LOOPBACK for host in hosts):
            return False  # another port of the same host
        mode, destination = _get_last(values, "sec-fetch-mode"), _get_last(values, "sec-fetch-dest")
        if method in ("GET", "HEAD") and (mode, destination) == ("navigate", "document"):
            return False
        match = _ORIGIN.match(_get_last(values, "referer"))
        return not (match and self._accepts_origin(match[0], hosts))

    def _describe_host(self, host: str) -> str:
        return (
            f"The host {_quote(host)} is not a name of this server. To make it a name, run: "
            f"{self._format_cure(host)}"
        )

    def _describe_origin(self, origin: str) -> str:
        match = _ORIGIN.match(origin)
        page = f"A page of {_quote(match[0])}" if match else "A page of an unknown origin"
        cure = f"run: {self._format_cure(match[1] if match else '')}"
        if self._origins is not None:
            cure = "add its origin to Server(cors=Cors(origins=[...]))."
        return f"{page} may not send requests to this server. To allow this page, {cure}"

    def _format_cure(self, authority: str) -> str:
        name = _to_printable(_parse_authority(authority)[0]) or "NAME"
        return f"{self._command} --allow-host {name}"


def _get_last(values: _Values, name: str) -> str:
    return values.get(name, ("",))[-1]


def _parse_authority(text: str) -> tuple[str, str]:
    """Return the name and the port of ``name:port``; for invalid text, an empty name."""
    match = _AUTHORITY.fullmatch(text.lower())
    return (match[1].strip("[]"), match[2] or "") if match else ("", "")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _get_machine_names() -> set[str]:
    name = socket.gethostname().lower()
    return ({name} if "." in name else {name, f"{name}.local"}) if name else set()


def _to_printable(text: str) -> str:
    """Return the start of a text without control characters, for the terminal."""
    return "".join(each if " " <= each <= "~" else "?" for each in text[:_SHOWN])


def _quote(text: str) -> str:
    return repr(_to_printable(text))
