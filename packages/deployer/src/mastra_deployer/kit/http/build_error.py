"""Build the error for a platform's response, with the deployer's hint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import httpx

from mastra_core.errors import ApiError, AuthError, DeployError
from mastra_deployer.kit.http.destinations import is_same_origin
from mastra_deployer.kit.http.error_messages import extract_code, extract_message
from mastra_deployer.kit.http.retry_after import is_rate_limited, parse_retry_after
from mastra_deployer.kit.http.retry_rules import MAX_WAIT

__all__ = ("build_error", "find_hint")

_LONGEST = 365 * 86400  # seconds; of a longer wait, the error does not state the length

_REJECTED = (401, 403)
_TOKEN_HINT = "Check that the token is correct and has the required scopes."  # noqa: S105  # no token
_NOT_FOUND_HINT = "Check the names in the settings. `mastra deployments` lists the deployments."
_HINT = "This message comes from the platform. Correct the problem that it names."


def build_error(
    name: str,
    home: httpx.URL,
    response: httpx.Response,
    secrets: Iterable[str],
    hints: Mapping[str | int, str],
) -> DeployError:
    """Build the error for a response with a status of 400 or above.

    :param name: the platform's name; if empty, the error names the host.
    :param home: the origin of the platform; the hints apply only to responses of this origin.
    :param response: the response, whose body has been read.
    :param secrets: values to remove from the platform's message.
    :param hints: hints by the platform's code, or by status.
    """
    request, status = response.request, response.status_code
    is_platform = is_same_origin(request.url, home)
    platform = name if name and is_platform else request.url.host
    call, message = f"{request.method} {request.url.path}", extract_message(response, secrets)
    code = extract_code(response)
    hint = find_hint(hints, code, status) if is_platform else ""
    wait = parse_retry_after(status, response.headers)
    if wait is not None and wait > MAX_WAIT:
        return ApiError(
            f"{platform} accepts {call} again only after {_format_duration(wait)} ({status}): "
            f"{message}",
            hint or "Run the same command again after that time. Finished steps are not repeated.",
            status=status,
            code=code,
        )
    text = f"{platform} answered {status} to {call}: {message}"
    if status in _REJECTED and is_platform and not is_rate_limited(status, response.headers):
        return AuthError(text, hint or _TOKEN_HINT, code=code)
    default = _NOT_FOUND_HINT if status == httpx.codes.NOT_FOUND else _HINT
    return ApiError(text, hint or default, status=status, code=code)


def find_hint(hints: Mapping[str | int, str], code: str, status: int | None) -> str:
    """Return the hint for a code, or else the hint for a status, or else an empty text.

    :param hints: hints by the platform's code, or by status; a code may be a number.
    :param code: the platform's code; empty if there is none.
    :param status: the status of the response; ``None`` if there was no response.
    """
    by_text = {str(key): hint for key, hint in hints.items()}
    return by_text.get(code) or by_text.get(str(status), "")


def _format_duration(seconds: float) -> str:
    if seconds > _LONGEST:
        return "more than a year"
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}s"
    return f"{seconds:.0f} seconds"
