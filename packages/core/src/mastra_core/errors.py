"""The classes of all errors that mastra raises.

MastraError
├── ConfigError            the project, its settings or its environment is invalid (exit 2)
│   └── ConsentError       the project's files ask for trust that the user did not give (exit 11)
├── PluginError            a deployer or plugin broke the contract of the hooks (exit 3)
├── BuildError             the project cannot be staged (exit 4)
├── BundleError            the staged app does not fit the target (exit 5)
├── DeployError            the platform did not accept the bundle (exit 6)
│   ├── AuthError          credentials are missing or were refused (exit 7)
│   ├── ApiError           the deployer cannot use the platform's response (exit 8)
│   ├── DeploymentFailed   the platform failed to build or start the app (exit 9)
│   └── DeployTimeout      the platform did not finish in time (exit 10)
├── AgentFailed            an agent's run failed; no command raises it (exit 1)
├── McpFailed              an MCP server does not respond (exit 1)
├── StorageError           the storage does not respond, or refuses to read or write (exit 1)
├── UnreadableData         stored data is damaged or of a newer version (exit 1)
└── RequestError           the caller of a running app made a mistake (HTTP 400)
    ├── InvalidInput       data does not fit the declared type (HTTP 400)
    ├── Forbidden          the resource belongs to another caller (HTTP 403)
    ├── NotFound           no agent, workflow, tool or run has that name (HTTP 404)
    ├── Conflict           the present state of the run does not allow the operation (HTTP 409)
    └── TooManyRuns        the caller has too many unfinished runs, or too large ones (HTTP 429)
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = (
    "AgentFailed",
    "ApiError",
    "AuthError",
    "BuildError",
    "BundleError",
    "ConfigError",
    "Conflict",
    "ConsentError",
    "DeployError",
    "DeployTimeout",
    "DeploymentFailed",
    "Forbidden",
    "InvalidInput",
    "MastraError",
    "McpFailed",
    "NotFound",
    "PluginError",
    "RequestError",
    "StorageError",
    "TooManyRuns",
    "UnreadableData",
)


class MastraError(Exception):
    """The base of all errors of mastra: a message of one sentence, and a hint with the cure.

    :param message: one sentence that describes the error and quotes the offending value.
    :param hint: the cure; empty only if there is none.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ConfigError(MastraError):
    """The project, its settings or the environment is invalid."""

    exit_code = 2


class ConsentError(ConfigError):
    """The user has not consented to a host or file that the project's files name."""

    exit_code = 11


class PluginError(MastraError):
    """A deployer or an ambient plugin broke the contract of the hooks."""

    exit_code = 3


class BuildError(MastraError):
    """The project cannot be staged, or the staged app does not start."""

    exit_code = 4


class BundleError(MastraError):
    """The staged app cannot run on the target."""

    exit_code = 5


class DeployError(MastraError):
    """The platform did not accept the bundle."""

    exit_code = 6


class AuthError(DeployError):
    """Credentials are missing, or were refused by the platform.

    :param message: one sentence that describes the error and quotes the offending value.
    :param hint: the cure; empty only if there is none.
    :param code: the platform's error code (``forbidden``), empty if it has none.
    """

    exit_code = 7

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


class ApiError(DeployError):
    """The deployer cannot use the platform's response.

    :param message: one sentence that describes the error and quotes the offending value.
    :param hint: the cure; empty only if there is none.
    :param status: HTTP status of the response, ``None`` if there was no response.
    :param code: the platform's error code (``rate_limited``), empty if it has none.
    """

    exit_code = 8

    def __init__(
        self, message: str, hint: str = "", *, status: int | None = None, code: str = ""
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code


class DeploymentFailed(DeployError):
    """The platform accepted the bundle, but could not build or start the app.

    :param message: one sentence that describes the error and quotes the offending value.
    :param hint: the cure; empty only if there is none.
    :param deployment: the failed deployment, ``None`` if it is unknown.
    """

    exit_code = 9

    def __init__(self, message: str, hint: str = "", *, deployment: object | None = None) -> None:
        super().__init__(message, hint)
        self.deployment = deployment


class DeployTimeout(DeployError):
    """The deployment did not reach a final state within the timeout."""

    exit_code = 10


class AgentFailed(MastraError):
    """A run of an agent failed. The message may be shown to a caller.

    :param message: what went wrong, in one sentence.
    :param hint: the cure; empty if there is none.
    :param kind: name of the kind of error (``ModelRateLimitError``).
    :param status: HTTP status of the response that reports the error.
    :param events: the events of the run before it failed.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        kind: str = "Error",
        status: int = 500,
        events: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind
        self.status = status
        self.events = events


class StorageError(MastraError):
    """The stored data of a running app cannot be read or written.

    Examples are a full disk, a damaged file and a database with too many requests.
    """


class UnreadableData(MastraError):
    """Stored data is damaged, or a newer version of mastra has written it.

    The error is no ``StorageError``, because callers try again after a ``StorageError``.
    """


class McpFailed(MastraError):
    """An MCP server cannot be reached or does not respond."""


class RequestError(MastraError):
    """The caller of a running app made a mistake.

    The class attribute ``status`` is the HTTP status of the response.
    """

    status: ClassVar[int] = 400


class InvalidInput(RequestError):
    """Data does not match the declared type.

    :param message: one sentence that describes the error and quotes the offending value.
    :param hint: the cure; empty only if there is none.
    :param issues: one ``(field, message)`` pair for each value that does not fit.
    """

    def __init__(
        self, message: str, hint: str = "", *, issues: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message, hint)
        self.issues = issues


class Forbidden(RequestError):
    """The resource belongs to another caller."""

    status = 403


class NotFound(RequestError):
    """No agent, workflow, tool or run has that name."""

    status = 404


class Conflict(RequestError):
    """The run is in a state that does not allow the operation."""

    status = 409


class TooManyRuns(RequestError):
    """The caller has reached the maximum number or size of unfinished runs."""

    status = 429
