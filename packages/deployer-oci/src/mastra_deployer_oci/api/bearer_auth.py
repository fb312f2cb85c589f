"""How a registry wants requests authorised: it says so itself, in its first 401."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from typing import Any
from urllib.request import parse_http_list, parse_keqv_list

import httpx

from mastra_core.errors import AuthError, ConfigError
from mastra_core.secret import Secret
from mastra_deployer.kit import require_https
from mastra_deployer_oci.api.docker_auth import Login

__all__ = ("RegistryAuth",)

_CLIENT = "mastra-deployer-oci"
_REFUSED = (400, 401, 403)


class RegistryAuth(httpx.Auth):
    """Basic, or bearer tokens that are fetched where the registry sends us, and again when old.

    :param login: ``None`` for nobody: many registries give tokens to read to everybody.
    :param scopes: what the tokens are for, ``repository:team/app:pull,push``.
    """

    def __init__(self, login: Login | None, scopes: Sequence[str]) -> None:
        self._login = login
        self._scopes = tuple(scopes)
        self._header = f"Bearer {login.bearer.reveal()}" if login and login.bearer else ""
        self._lock = threading.Lock()

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send; where that is refused, do what the answer says and send once more.

        Only the registry itself can tell that a token is too old, so none is thrown away before.
        """
        header = self._header
        if header:
            request.headers["authorization"] = header
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        with self._lock:  # many uploads are refused at once, and one token will do for all
            if self._header == header:
                self._header = yield from self._answer_challenge(response)
        if self._header and self._header != header:
            request.headers["authorization"] = self._header
            yield request

    def _answer_challenge(
        self, response: httpx.Response
    ) -> Generator[httpx.Request, httpx.Response, str]:
        """The header that a challenge asks for; empty where we have nothing to say."""
        scheme, _, rest = response.headers.get("www-authenticate", "").partition(" ")
        if scheme.lower() == "basic":
            return self._login.to_basic_header() if self._login else ""
        if scheme.lower() != "bearer" or (self._login and self._login.bearer):
            return ""
        challenge = parse_keqv_list(parse_http_list(rest))
        token = yield from self._fetch_token(challenge)
        return f"Bearer {token}"

    def _fetch_token(
        self, challenge: dict[str, str]
    ) -> Generator[httpx.Request, httpx.Response, str]:
        request = self._build_token_request(challenge)
        response = yield request
        response.read()
        host = request.url.host
        if response.status_code in _REFUSED:
            raise AuthError(
                f"{host} gives no token for {' '.join(self._scopes)!r} ({response.status_code}).",
                "Check the user, the password and what they may do.",
            )
        try:
            token: dict[str, Any] = response.raise_for_status().json()
            return str(token.get("token") or token["access_token"])
        except (httpx.HTTPStatusError, ValueError, KeyError):
            raise AuthError(
                f"{host} answered {response.status_code} and no token.",
                "Run the same command again; if it stays so, ask who runs the registry.",
            ) from None

    def _build_token_request(self, challenge: dict[str, str]) -> httpx.Request:
        realm = challenge.get("realm", "")
        try:
            require_https(realm)
        except ConfigError as error:
            raise AuthError(error.message, "The registry names a place that is not safe.") from None
        service = {"service": challenge["service"]} if challenge.get("service") else {}
        if self._login and self._login.refresh:
            form = {"grant_type": "refresh_token", "client_id": _CLIENT, **service}
            form |= {"scope": " ".join(self._scopes), **_reveal_refresh_token(self._login.refresh)}
            return httpx.Request("POST", realm, data=form)
        basic = self._login.to_basic_header() if self._login else ""
        headers = {"authorization": basic} if basic else {}
        # Added to the realm's own query, which passing params= would replace.
        url = httpx.URL(realm).copy_merge_params({**service, "scope": self._scopes})
        return httpx.Request("GET", url, headers=headers)


def _reveal_refresh_token(refresh: Secret) -> dict[str, str]:
    return {"refresh_token": refresh.reveal()}
