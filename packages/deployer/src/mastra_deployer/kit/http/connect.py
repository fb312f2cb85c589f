"""Build an ``httpx.Client`` with authorization, retries, and errors that have a hint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from mastra_core.arguments.argument_types import check_types
from mastra_core.arguments.number_checks import check_seconds
from mastra_core.errors import ConfigError
from mastra_core.secret import Secret
from mastra_deployer.trust.host_policy import require_consent
from mastra_deployer.trust.require_https import require_https

if TYPE_CHECKING:  # httpx is loaded on use: importing the kit in ``mastra_target`` must cost little
    import httpx

__all__ = ("connect",)

MAX_SIZE = 64 << 20  # bytes of a response that is kept in memory
MAX_SECONDS = 300.0


def connect(
    base_url: str,
    token: Secret | Callable[[], Secret] | None = None,
    *,
    auth: httpx.Auth | None = None,
    headers: Mapping[str, str] | None = None,
    before_attempt: Callable[[httpx.Request, int], None] | None = None,
    timeout: float = 60,
    name: str = "",
    hints: Mapping[str | int, str] | None = None,
    retry_codes: Collection[int | str] = (),
    max_size: int = MAX_SIZE,
    max_seconds: float = MAX_SECONDS,
    consent: bool = True,
) -> httpx.Client:
    """Return a client for one platform's API; several threads may share the client.

    The client repeats an idempotent request after 408, 425, 429, 5xx and a lost connection, with at
    most six attempts. The client repeats any other request only if the platform certainly did not
    process it: after a refused connection, a 429, a 403 with an exhausted rate limit, or a 503 with
    ``Retry-After``. If the platform asks for a wait of up to a minute, the client waits for that
    time, with at most twelve attempts. A request whose body cannot be sent twice is not repeated.
    Each attempt gets its own authorization, so no attempt has an old token or signature.

    A request may have these keys in ``extensions=``:

    - ``{"mastra_idempotent": True}`` declares that a POST is safe to repeat. ``False`` declares
      that a PUT is not safe to repeat.
    - ``{"mastra_retry_401": True}`` makes one more attempt after a 401.
    - ``{"mastra_accept": (404, 409)}`` returns responses with these statuses. Any other status of
      400 or above raises an error.
    - ``{"mastra_max_size": 4096, "mastra_max_seconds": 5}`` sets the limits of the response.
      ``None`` means no limit.

    Authorization and ``headers`` are sent only to the origin of ``base_url``. The client answers
    only challenges of this origin. The client follows redirects only if a request asks for it, and
    at most five. A redirect never leads to an unencrypted address, or from the internet into a
    private network. Cookies are not kept. ``client.stream`` reads a response in parts, up to 16 GiB
    and one hour.

    :param base_url: an https address; an http address is allowed for this machine only.
    :param token: sent as ``Authorization: Bearer``; a function is called for each attempt.
    :param auth: another way to authorize, in place of ``token``; the client raises an error for a
        401 only if ``auth`` does not answer it.
    :param headers: sent with every request to the origin of ``base_url``.
    :param before_attempt: called before each attempt at a request to the origin of ``base_url``,
        with the request and the number of earlier attempts. The function sets headers, such as a
        signature.
    :param timeout: seconds for each network operation.
    :param name: the platform's name in errors; if empty, errors name the host.
    :param hints: hints of errors, by the platform's code (``rate_limited``) or by status. If both
        match, the hint of the code is used.
    :param retry_codes: statuses and codes of the platform that mean "not processed, try again
        later", such as ``ThrottlingException``; after them, any request is retried.
    :param max_size: the largest number of bytes in the decompressed body of a response.
    :param max_seconds: the seconds in which a response must be complete.
    :param consent: whether a host that the project's files name needs the user's consent. Pass
        ``False`` for a client without credentials, and after a call of ``require_consent``.
    :returns: the client; close it, or use it as a context manager.
    :raises ConfigError: for an address that would send the token unencrypted, for a proxy of an
        unsupported kind, and for an argument of the wrong type.
    :raises ConsentError: for a host that only the project's files name.
    :raises AuthError: (on use) for 401 and 403.
    :raises ApiError: (on use) with the platform's own message, in which secrets are masked.
    :raises DeployTimeout: (on use) when there is no response in time.
    """
    check_types(locals(), connect.__annotations__)
    check_seconds(f"timeout={timeout!r}", timeout)
    if isinstance(token, str):
        raise ConfigError(
            "The token of connect is text, which a log could show.", "Pass Secret(token)."
        )
    require_https(base_url)
    if consent:
        require_consent(base_url)
    from mastra_deployer.kit.http.client import PlatformClient
    from mastra_deployer.kit.http.origin_transport import OriginTransport
    from mastra_deployer.kit.http.response_limits import ResponseLimits
    from mastra_deployer.kit.http.retry_rules import RetryRules

    return PlatformClient(
        base_url,
        name=name,
        token=token,
        auth=auth,
        headers=dict(headers or {}),
        timeout=timeout,
        transport=OriginTransport(base_url),
        limits=ResponseLimits(size=max_size, seconds=max_seconds),
        hints=hints or {},
        rules=RetryRules(frozenset(retry_codes)),
        before_attempt=before_attempt,
    )
