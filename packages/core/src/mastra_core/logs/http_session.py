"""Create the session through which OTLP is sent over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

__all__ = ("build_session",)


def build_session() -> requests.Session:
    """Return a session that sends the password of the URL, but no password of ``~/.netrc``."""
    import requests

    session = requests.Session()
    session.auth = _add_password_of_url  # without a function, requests reads ~/.netrc
    return session


def _add_password_of_url(request: Any) -> Any:
    from requests.auth import HTTPBasicAuth
    from requests.utils import get_auth_from_url

    user, password = get_auth_from_url(request.url)
    return HTTPBasicAuth(user, password)(request) if user or password else request
