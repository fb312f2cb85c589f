"""Asks a deployment whether it answers."""

from __future__ import annotations

import dataclasses
import time

import httpx
import stamina

from mastra_core.errors import DeploymentFailed
from mastra_core.pipeline import Deployment, Report

__all__ = ("Smoke", "smoke", "smoke_path")

_CLIENT_ERROR, _SERVER_ERROR = 400, 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Smoke:
    """What a deployment answered.

    :param milliseconds: of the request that was answered.
    """

    url: str
    status: int
    milliseconds: int


def smoke_path(kind: str, asked: str | None) -> tuple[str, int]:
    """Where to ask, and the first status that is a failure.

    An app of ours has ``/health``. Of another framework's only this is known: what it answers at
    ``/`` should be no 5xx.
    """
    if asked is not None:
        return asked, _CLIENT_ERROR
    return ("/health", _CLIENT_ERROR) if kind == "mastra" else ("/", _SERVER_ERROR)


def smoke(
    deployment: Deployment, path: str, failing: int, report: Report, *, patience: float
) -> Smoke | None:
    """One request, asked again until it is answered well.

    :param failing: the first status that is a failure.
    :param patience: seconds until a failure counts.
    :returns: ``None`` for what has no address of its own, such as an image in a registry.
    :raises DeploymentFailed: when it does not answer as it should.
    """
    if not deployment.url.startswith(("http://", "https://")):
        return None
    url = deployment.url.rstrip("/") + "/" + path.lstrip("/")
    report.step(f"Asking {url}")
    headers = {name: value.reveal() for name, value in deployment.smoke_headers.items()}
    # The token of a platform's protection must not follow a redirect to its login page.
    client = httpx.Client(headers=headers, timeout=30, follow_redirects=not headers)
    ask = stamina.retry(on=_Unwell, attempts=None, timeout=patience, wait_initial=0.25, wait_max=5)(
        _asked
    )
    try:
        with client:
            return ask(client, url, failing)
    except _Unwell as error:
        raise DeploymentFailed(
            f"{url} {error}.",
            "Look at the app's log: mastra logs; --smoke PATH asks elsewhere, --no-smoke does not.",
            deployment=deployment,
        ) from None


class _Unwell(Exception):
    """An answer, or none, that may be better soon."""


def _asked(client: httpx.Client, url: str, failing: int) -> Smoke:
    started = time.monotonic()
    try:
        with client.stream("GET", url) as response:  # an endless body is no reason to wait
            status, following = response.status_code, response.next_request
    except httpx.HTTPError as error:
        raise _Unwell(f"does not answer: {str(error) or type(error).__name__}") from None
    if following is not None and following.url.host != httpx.URL(url).host:
        # What is past the platform's protection does not send us to log in elsewhere.
        raise _Unwell(f"sends to {following.url.host}")
    if status >= failing:
        raise _Unwell(f"answers {status}")
    passed = round((time.monotonic() - started) * 1000)
    return Smoke(url=url, status=status, milliseconds=passed)
