"""Build an ``httpx.Client`` with authorization, retries, and errors that have a hint."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

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

    Idempotent requests are repeated after 408, 425, 429, 5xx and lost connections, with at most six
    attempts. Other requests are repeated only if the platform certainly did not process them: after
    a refused connection, a 429, a 403 with an exhausted rate limit, or a 503 with ``Retry-After``.
    If the platform states a wait of up to a minute, the client waits, with at most twelve attempts.
    A body that cannot be sent twice is sent once.

    A request may carry in ``extensions=``: ``{"mastra_idempotent": True}``, which declares a POST
    safe to repeat (``False``: a PUT unsafe), ``{"mastra_retry_401": True}``, which makes one more
    attempt after a 401, and ``{"mastra_accept": (404, 409)}``, which returns responses of these
    statuses. All other statuses of 400 and above raise.

    Each attempt gets its own authorization, so no attempt has an old token or signature.

    Authorization and ``headers`` are sent only to the origin of ``base_url``. Only challenges of
    this origin are answered. Redirects are followed only if a request asks for it, five at most,
    and never to an unencrypted address or from the internet into a private network. Cookies are not
    kept. ``client.stream`` reads a response in parts, up to 16 GiB and one hour. A request may set
    its own limits in ``extensions=``: ``{"mastra_max_size": 4096, "mastra_max_seconds": 5}``;
    ``None`` is no limit.

    :param base_url: https, or http to this machine only.
    :param token: sent as ``Authorization: Bearer``; a function is called for each attempt.
    :param auth: another way to authorize, in place of ``token``; it handles a 401 first.
    :param headers: sent with every request to the origin of ``base_url``.
    :param before_attempt: called before each attempt at a request to the origin of ``base_url``,
        with the request and the number of attempts before. It sets headers, such as a signature.
    :param timeout: seconds for each network operation.
    :param name: the platform's name in errors; its host if empty.
    :param hints: hints of errors, by the platform's code (``rate_limited``) or by status. A code
        goes before a status.
    :param retry_codes: statuses and codes of the platform that mean "not processed, come later",
        such as ``ThrottlingException``; any request is retried after them.
    :param max_size: bytes of the decompressed body of a response.
    :param max_seconds: seconds that a response may take in all, however slowly it arrives.
    :param consent: whether a host that the project's files name needs the user's consent.
        ``False`` for a client without credentials, and where ``require_consent`` was called.
    :returns: the client; close it, or use it as a context manager.
    :raises ConfigError: for an address that would send the token unencrypted, and for a proxy
        of an unsupported kind.
    :raises ConsentError: for a host that only the project's files name.
    :raises AuthError: (on use) for 401 and 403.
    :raises ApiError: (on use) with the platform's own message, in which secrets are masked.
    :raises DeployTimeout: (on use) when there is no response in time.
    """
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
