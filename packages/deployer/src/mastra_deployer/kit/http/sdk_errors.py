"""Convert the exceptions of a platform's SDK to errors of ``mastra_core``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from mastra_core.errors import ApiError, AuthError, DeployError, DeployTimeout, MastraError
from mastra_deployer.project.exception_chain import iter_causes

__all__ = ("convert_sdk_errors",)

_REJECTED = (401, 403)
_HINT = "This message comes from the platform. Correct the problem that it names."
_TOKEN_HINT = "Check that the credentials are correct and have the required permissions."  # noqa: S105  # no token
_RETRY_HINT = "Check the network and the address. Then run the same command again."


@contextlib.contextmanager
def convert_sdk_errors(
    name: str,
    *exceptions: type[BaseException],
    hints: Mapping[str | int, str] | None = None,
) -> Iterator[None]:
    """Within the block, convert an SDK's exceptions to errors of mastra.

    Status, code and message are read from the attributes that SDKs use: ``status_code``, ``code``,
    ``errors`` and ``response``, which is a mapping in botocore. If the cause of an SDK's exception
    is already an error of mastra, this error is raised.

    :param name: the platform's name in errors.
    :param exceptions: the SDK's base exceptions, one argument for each:
        ``convert_sdk_errors("AWS", BotoCoreError, ClientError)``.
    :param hints: hints by the platform's code, or by status.
    :raises AuthError: for 401, 403 and missing credentials.
    :raises ApiError: for any other exception of the SDK.
    :raises DeployTimeout: when the SDK got no response in time.
    :raises TypeError: before the block runs, when an argument is not an exception class.
    """
    _require_classes(exceptions)
    try:
        yield
        return
    except exceptions as error:
        failure = _find_own_error(error)
        if failure is None:
            failure = _convert(name, error, hints or {})
            failure.__cause__ = error
    raise failure  # outside the handler: an own error would become its own context


def _require_classes(exceptions: tuple[object, ...]) -> None:
    """Raise an error for wrong arguments; Python would refuse them only at the first SDK error."""
    if not exceptions:
        raise TypeError("convert_sdk_errors needs the base exceptions of the SDK.")
    for item in exceptions:
        if not (isinstance(item, type) and issubclass(item, BaseException)):
            raise TypeError(
                "convert_sdk_errors takes exception classes, each as a separate argument, and not "
                f"{item!r}."
            )


def _find_own_error(error: BaseException | None) -> MastraError | None:
    """Return the error of mastra that an SDK's exception wraps, or ``None``."""
    return next((each for each in iter_causes(error) if isinstance(each, MastraError)), None)


def _convert(name: str, error: BaseException, hints: Mapping[str | int, str]) -> DeployError:
    # Loaded on use: importing the kit must not load httpx.
    from mastra_deployer.kit.http.build_error import find_hint
    from mastra_deployer.kit.http.error_messages import format_message

    status, code = _find_status(error), _find_code(error)
    kind, message = type(error).__name__, format_message(_find_message(error))
    hint = find_hint(hints, code, status)
    if status in _REJECTED or (status is None and "Credential" in kind):
        return AuthError(f"{name} rejected the request: {message}", hint or _TOKEN_HINT, code=code)
    if status is None and "Timeout" in kind:
        return DeployTimeout(f"{name} did not respond in time.", hint or _RETRY_HINT)
    if status is None:
        return ApiError(f"{name} cannot be used: {message}", hint or _RETRY_HINT, code=code)
    text = message if not code or code in message else f"{message} ({code})"
    return ApiError(f"{name} answered {status}: {text}", hint or _HINT, status=status, code=code)


def _find_status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    metadata = _get(response, "ResponseMetadata")
    values = (
        getattr(error, "status_code", None),
        getattr(error, "status", None),
        _get(metadata, "HTTPStatusCode"),
        getattr(response, "status_code", None),
    )
    return next((value for value in values if isinstance(value, int)), None)


def _find_code(error: BaseException) -> str:
    errors = getattr(error, "errors", None)
    first = errors[0] if isinstance(errors, list | tuple) and errors else None
    values = (
        _get(_get(getattr(error, "response", None), "Error"), "Code"),
        _get(first, "code"),
        getattr(error, "code", None),
    )
    return next((str(value) for value in values if isinstance(value, str | int) and value), "")


def _find_message(error: BaseException) -> str:
    """Return the platform's own message, or else the text of the exception."""
    errors = getattr(error, "errors", None)
    first = errors[0] if isinstance(errors, list | tuple) and errors else None
    values = (
        _get(_get(getattr(error, "response", None), "Error"), "Message"),
        _get(first, "message"),
        _get(getattr(error, "body", None), "message"),
        getattr(error, "message", None),
    )
    return next((value for value in values if isinstance(value, str) and value), str(error))


def _get(value: Any, name: str) -> Any:
    """Return an entry of a mapping, or an attribute; ``None`` if there is none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
