"""Authenticate in the way that the first 401 response of a registry asks for."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from typing import Any
from urllib.request import parse_http_list, parse_keqv_list

import httpx

from mastra_core.errors import ApiError, AuthError, ConfigError
from mastra_core.secret import Secret
from mastra_deployer.kit import require_https
from mastra_deployer_oci.api.docker_auth import Login

__all__ = ("RegistryAuth",)

_CLIENT = "mastra-deployer-oci"
_REJECTED = (400, 401, 403)


class RegistryAuth(httpx.Auth):
    """Basic authentication, or bearer tokens from the registry's token server.

    :param login: the login; ``None`` for anonymous access, which many registries allow for reading.
    :param scopes: scopes to request tokens for, ``repository:team/app:pull,push``. If the token
        server rejects several scopes, only the first one is requested.
    """

    def __init__(self, login: Login | None, scopes: Sequence[str]) -> None:
        self._login = login
        self._scopes = tuple(scopes)
        self._header = f"Bearer {login.bearer.reveal()}" if login and login.bearer else ""
        self._lock = threading.Lock()

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request; after a 401, authenticate as the challenge asks, and send it once more.

        A token is used until the registry rejects it.

        :param request: the request to authenticate.
        :returns: a generator of the requests to send, to which httpx passes the response of each
            request.
        :raises AuthError: when the token server gives no token, or its address is not https.
        """
        header = self._header
        if header:
            request.headers["authorization"] = header
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        with self._lock:  # parallel uploads get a 401 each; one new token serves all
            if self._header == header:
                self._header = yield from self._answer_challenge(response)
        if self._header and self._header != header:
            request.headers["authorization"] = self._header
            yield request

    def _answer_challenge(
        self, response: httpx.Response
    ) -> Generator[httpx.Request, httpx.Response, str]:
        """Return the authorization header for a challenge; empty without a usable login."""
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
        if response.status_code in _REJECTED and len(self._scopes) > 1:
            # The first scope is required; the others, from which layers are mounted, are not.
            self._scopes = self._scopes[:1]
            return (yield from self._fetch_token(challenge))
        if response.status_code in _REJECTED:
            raise AuthError(
                f"{host} issued no token for {' '.join(self._scopes)!r} ({response.status_code}).",
                "Check the user name, the password and the permissions of the user.",
            )
        try:
            content: dict[str, Any] = response.raise_for_status().json()
            return str(content.get("token") or content["access_token"])
        except (httpx.HTTPStatusError, ApiError, TypeError, AttributeError, KeyError):
            raise AuthError(
                f"{host} responded with status {response.status_code} and without a token.",
                "Run the same command again. If the error remains, ask the operator of the "
                "registry.",
            ) from None

    def _build_token_request(self, challenge: dict[str, str]) -> httpx.Request:
        realm = challenge.get("realm", "")
        try:
            require_https(realm)
        except ConfigError as error:
            raise AuthError(
                error.message, "The registry must use a token server with an https:// address."
            ) from None
        service = {"service": challenge["service"]} if challenge.get("service") else {}
        if self._login and self._login.refresh:
            form = {"grant_type": "refresh_token", "client_id": _CLIENT, **service}
            form |= {"scope": " ".join(self._scopes), **_reveal_refresh_token(self._login.refresh)}
            return httpx.Request("POST", realm, data=form)
        basic = self._login.to_basic_header() if self._login else ""
        headers = {"authorization": basic} if basic else {}
        # The realm may have a query of its own, which passing params= would replace.
        url = httpx.URL(realm).copy_merge_params({**service, "scope": self._scopes})
        return httpx.Request("GET", url, headers=headers)


def _reveal_refresh_token(refresh: Secret) -> dict[str, str]:
    return {"refresh_token": refresh.reveal()}
