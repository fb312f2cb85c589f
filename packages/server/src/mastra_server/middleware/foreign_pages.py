"""Refuse requests that pages of other origins send to the API without a preflight request.

CORS only controls which pages read responses. Before a page of another origin sends JSON, or uses
``PUT``, ``PATCH`` or ``DELETE``, the browser sends a preflight request. Before a ``POST`` without a
body, the browser sends no preflight request, but it sends the user's cookies. Without a check, a
page could start, resume or cancel runs in the user's name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from mastra_core import Cors
from mastra_core.errors import Forbidden
from mastra_server.http.asgi import App, Receive, Scope, Send
from mastra_server.http.content_type import is_json_type
from mastra_server.http.errors import ErrorResponse
from mastra_server.http.paths import to_declared_path

__all__ = ("ForeignPages",)

_OWN_SITES = (b"same-origin", b"none")
_SHOWN = 100  # characters of an origin that the error quotes


class ForeignPages:
    """Respond 403 to a ``POST`` of a page whose origin the CORS settings do not allow.

    If the settings allow every origin, only a ``POST`` with cookies is refused: no page of another
    origin could read the response to it.

    :param app: the application inside.
    :param prefix: the prefix of the API. Custom endpoints have other paths, and may receive forms.
    :param settings: the allowed origins.
    """

    def __init__(self, app: App, prefix: str, settings: Cors) -> None:
        self._app = app
        self._prefix = prefix
        self._allows_all = "*" in settings.origins
        self._origins = {origin.encode("latin-1", "replace") for origin in settings.origins}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass on the request, or refuse it.

        :param scope: the ASGI scope.
        :param receive: the ASGI receive callable.
        :param send: the ASGI send callable.
        """
        if scope["method"] == "POST" and to_declared_path(scope["path"], self._prefix):
            headers = dict(scope["headers"])
            if self._is_foreign(headers) and not is_json_type(headers.get(b"content-type", b"")):
                return ErrorResponse(_build_error(headers))(scope, receive, send)
        return self._app(scope, receive, send)

    def _is_foreign(self, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a page of a forbidden origin sent the request."""
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
        if site in _OWN_SITES or (origin is None and site is None):
            return False
        if self._allows_all:
            return b"cookie" in headers and not _is_own_origin(origin, headers)
        return origin not in self._origins and not _is_own_origin(origin, headers)


def _is_own_origin(origin: bytes | None, headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the server itself served the page.

    A proxy may have changed the scheme, and may forward the host or the port that the browser used.
    The header of any proxy is trusted here: a page of another origin cannot set this header without
    a preflight request, and a page with a preflight request may send JSON as well.
    """
    authority = (origin or b"").partition(b"://")[2]
    forwarded = headers.get(b"x-forwarded-host", b"").partition(b",")[0].strip()
    return bool(authority) and authority in (headers.get(b"host"), forwarded)


def _build_error(headers: Mapping[bytes, bytes]) -> Forbidden:
    origin = headers.get(b"origin", b"null").decode("latin-1")[:_SHOWN]
    return Forbidden(
        f"A page of {origin!r} may not send this request. Add its origin to "
        "Server(cors=Cors(origins=[...])), or send the header content-type: application/json"
    )
