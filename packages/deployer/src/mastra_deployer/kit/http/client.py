"""The client that ``connect`` returns; it raises errors of ``mastra_core.errors``."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from mastra_core.errors import ApiError, AuthError, ConfigError, DeployError
from mastra_core.secret import Secret
from mastra_deployer.kit.http.build_error import build_error
from mastra_deployer.kit.http.connection_errors import to_deploy_error
from mastra_deployer.kit.http.destinations import (
    build_address_error,
    is_same_origin,
    parse_address,
)
from mastra_deployer.kit.http.error_messages import extract_credentials
from mastra_deployer.kit.http.response_errors import refuse_web_page
from mastra_deployer.kit.http.response_limits import ResponseLimits
from mastra_deployer.kit.http.retry_rules import RetryRules
from mastra_deployer.kit.http.retry_transport import BeforeAttempt, RetryTransport
from mastra_deployer.output.masking import iter_forms, redact

__all__ = ("PlatformClient",)

Token = Secret | Callable[[], Secret]

_ERRORS_FROM = 400
_MAX_REDIRECTS = 5
_SENSITIVE = ("auth", "token", "key", "secret", "cookie", "password")


class PlatformClient(httpx.Client):
    """An ``httpx.Client`` that raises ``ApiError``, ``AuthError`` and ``DeployTimeout``.

    :param base_url: the address of the API; credentials go to its origin only.
    :param name: the platform's name in errors; if empty, errors name the host.
    :param token: sent as a bearer token.
    :param auth: another way to authorize, in place of ``token``.
    :param headers: sent with every request to the origin of ``base_url``.
    :param timeout: seconds for each network operation.
    :param transport: sends a request once; the client adds the retries.
    :param limits: the limits of each response that is not streamed.
    :param hints: hints of errors, by the platform's code or by status.
    :param rules: which responses are retried.
    :param before_attempt: called before each attempt at a request to the origin of ``base_url``.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str,
        token: Token | None,
        auth: httpx.Auth | None,
        headers: Mapping[str, str],
        timeout: float,
        transport: httpx.BaseTransport,
        limits: ResponseLimits,
        hints: Mapping[str | int, str],
        rules: RetryRules,
        before_attempt: BeforeAttempt | None,
    ) -> None:
        for header, value in headers.items():
            _check_header(header, value)
        home = httpx.URL(base_url)
        self._name = name
        self._home = home
        self._secrets = [value for key, value in headers.items() if _is_sensitive(key)]
        self._hints = hints
        inner = auth or (_BearerAuth(token) if token else None)
        self._attempt_auth = _SameOriginAuth(inner, home) if inner else None
        super().__init__(
            base_url=base_url,
            # The real size of a compressed response is not known before it is decompressed.
            headers={
                "user-agent": "mastra-deployer",
                "accept-encoding": "identity",
                **headers,
            },
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=timeout,
            transport=RetryTransport(
                transport, home, headers, limits, timeout, rules, before_attempt
            ),
        )

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Build a request, after a check of its address.

        :param method: the HTTP method.
        :param url: an address, or a path below the address of the API.
        :param options: further arguments of ``httpx.Client.build_request``.
        :raises ApiError: for an invalid address.
        """
        parse_address(str(url), self._name)
        return super().build_request(method, url, **options)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request, retry it if possible, and convert failures to errors of mastra.

        :param request: the request, whose ``extensions`` may have the keys that ``connect``
            describes.
        :param options: further arguments of ``httpx.Client.send``.
        :raises AuthError: for 401 and 403.
        :raises ApiError: for any other status of 400 or above, and if there is no response.
        :raises DeployTimeout: when the response does not arrive in time.
        """
        if options.get("stream"):
            request.extensions = {**request.extensions, "mastra_stream": True}
        follow = options.pop("follow_redirects", False)
        response = self._send_once(request, **options)
        if follow is not True and not (follow and self.follow_redirects):
            return response
        return self._follow_redirects(response, **options)

    def _follow_redirects(self, response: httpx.Response, **options: Any) -> httpx.Response:
        """Follow each redirect with a separate request, which has its own authorization.

        If httpx itself followed redirects, it would pass the last response to the ``auth`` of the
        first request.
        """
        for _ in range(_MAX_REDIRECTS):
            following = response.next_request
            if following is None:
                return response
            response.close()
            parse_address(str(following.url), self._name)
            _remove_attempt_headers(following)
            if not is_same_origin(following.url, response.request.url):
                _require_readable(response.request, following)
                _remove_sensitive_headers(following)
                options["auth"] = None
            response = self._send_once(following, **options)
        if response.next_request is None:
            return response
        response.close()
        raise ApiError(
            f"{response.request.url.host} redirects more than {_MAX_REDIRECTS} times.",
            "Check the address of the platform, and any proxy in between.",
        )

    def _send_once(self, request: httpx.Request, **options: Any) -> httpx.Response:
        auth = options.pop("auth", httpx.USE_CLIENT_DEFAULT)
        is_default = auth is httpx.USE_CLIENT_DEFAULT and self._attempt_auth is not None
        request.extensions = {
            **request.extensions,
            "mastra_auth": self._attempt_auth if is_default else None,
        }
        if is_default:
            auth = httpx.Auth()  # the transport authorizes each attempt
        try:
            response = super().send(request, auth=auth, follow_redirects=False, **options)
        except httpx.RequestError as error:
            failure = _redact_error(to_deploy_error(request, error), self._list_secrets(request))
            # An error about an invalid header quotes the header's value.
            is_quoting = isinstance(error, httpx.LocalProtocolError)
            raise failure from None if is_quoting else error
        except (httpx.InvalidURL, UnicodeError) as error:  # of a redirect; httpx reads it at once
            raise build_address_error(self._name, error) from error
        except DeployError as error:
            raise _redact_error(error, self._list_secrets(request)) from error.__cause__
        accepted: Iterable[int] = request.extensions.get("mastra_accept", ())
        if response.status_code < _ERRORS_FROM:
            refuse_web_page(response)
            return response
        if response.status_code in accepted:
            return response
        response.read()  # also the body of a stream, because it contains the message of the error
        secrets = self._list_secrets(request, response.request)
        failure = build_error(self._name, self._home, response, secrets, self._hints)
        raise _redact_error(failure, secrets)

    def _list_secrets(self, *requests: httpx.Request) -> list[str]:
        """Return the client's credentials, and those in the headers of the requests."""
        secrets = list(self._secrets)
        for request in requests:
            for name, value in request.headers.items():
                secrets += extract_credentials(value) if _is_sensitive(name) else ()
        return secrets


class _BearerAuth(httpx.Auth):
    """Sends the token with each attempt. If the token is a function, each attempt calls it."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        secret = self._token() if callable(self._token) else self._token
        token = secret.reveal().strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise AuthError(
                "The token contains characters that are not allowed, such as spaces or line "
                "breaks.",
                "Copy the token again. Copy all of it and nothing else.",
            )
        request.headers["authorization"] = f"Bearer {token}"
        yield request


class _SameOriginAuth(httpx.Auth):
    """Authorizes only requests to the platform's origin, even after a redirect."""

    def __init__(self, inner: httpx.Auth, home: httpx.URL) -> None:
        self._inner = inner
        self._home = home

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        if is_same_origin(request.url, self._home):
            yield from self._inner.sync_auth_flow(request)
        else:
            yield request


def _remove_attempt_headers(following: httpx.Request) -> None:
    """Remove headers that an attempt added to the redirected request, such as a signature."""
    for name in set(following.headers) - following.extensions["mastra_headers"]:
        del following.headers[name]


def _remove_sensitive_headers(following: httpx.Request) -> None:
    """Remove the headers with credentials from a request that follows a redirect."""
    for name in [name for name in following.headers if _is_sensitive(name)]:
        del following.headers[name]


def _check_header(name: str, value: str) -> None:
    """Raise an error for a header value that cannot be sent. The error hides the value."""
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise ConfigError(
            f"The value of the header {name!r} contains characters that are not allowed, such as "
            "line breaks.",
            "Copy the value again. Copy all of it and nothing else.",
        )


def _require_readable(request: httpx.Request, following: httpx.Request) -> None:
    """Raise an error if a redirect would send the body of a request to another host."""
    if following.method not in ("GET", "HEAD"):
        raise ApiError(
            f"{request.url.host} redirects {request.method} {request.url.path} to another host, "
            f"{following.url.host!r}.",
            "The request body was not sent to that host. Check the address of the platform.",
        )


def _redact_error(error: DeployError, secrets: list[str]) -> DeployError:
    """Remove credentials from an error."""
    forms = [form for secret in secrets for form in iter_forms(secret)]
    error.message = redact(error.message, forms)
    error.args = (error.message,)
    if isinstance(error, ApiError | AuthError):
        error.code = redact(error.code, forms)
    return error


def _is_sensitive(header: str) -> bool:
    return any(word in header.lower() for word in _SENSITIVE)
