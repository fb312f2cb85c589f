"""Every error of mastra, in one tree.

MastraError
├── ConfigError            the project, its settings or its environment (exit 2)
├── PluginError            a deployer or plugin broke the contract (exit 3)
├── BuildError             the project cannot be staged (exit 4)
├── BundleError            the staged app cannot take the target's shape (exit 5)
├── DeployError            the platform did not take it (exit 6)
│   ├── AuthError          credentials missing or refused (exit 7)
│   ├── ApiError           an answer the deployer cannot use (exit 8)
│   ├── DeploymentFailed   the platform built or started it and failed (exit 9)
│   └── DeployTimeout      the platform did not finish in time (exit 10)
├── AgentFailed            an agent's run broke; nothing a command meets (exit 1)
├── McpFailed              an MCP server does not answer (exit 1)
├── StorageError           what is stored cannot be read or written (exit 1)
└── RequestError           whoever called a running app made a mistake (HTTP 400)
    ├── InvalidInput       data does not fit the declared type (HTTP 400)
    ├── Forbidden          it is somebody else's (HTTP 403)
    ├── NotFound           no agent, workflow, tool or run of that name (HTTP 404)
    ├── Conflict           not possible in the run's present state (HTTP 409)
    └── TooManyRuns        the bounded journal is full of unfinished runs (HTTP 429)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from mastra_core.pipeline import Deployment

__all__ = (
    "AgentFailed",
    "ApiError",
    "AuthError",
    "BuildError",
    "BundleError",
    "ConfigError",
    "Conflict",
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
)


class MastraError(Exception):
    """Something a person can act on: one sentence, and what to do about it.

    :param message: what is wrong, with the offending value quoted.
    :param hint: the cure; empty only where there is none.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ConfigError(MastraError):
    """The project, its settings or its environment is not usable as written."""

    exit_code = 2


class PluginError(MastraError):
    """A deployer or an ambient plugin broke the contract of the hooks."""

    exit_code = 3


class BuildError(MastraError):
    """The project cannot be staged, or what was staged does not start."""

    exit_code = 4


class BundleError(MastraError):
    """The staged app cannot take the shape its target asks for."""

    exit_code = 5


class DeployError(MastraError):
    """The platform did not take the bundle."""

    exit_code = 6


class AuthError(DeployError):
    """Credentials are missing, or the platform refused them.

    :param code: the platform's own word for it (``forbidden``), where it has one.
    """

    exit_code = 7

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


class ApiError(DeployError):
    """The platform answered something the deployer cannot use.

    :param status: HTTP status of the answer, where there was one.
    :param code: the platform's own word for it (``rate_limited``), where it has one.
    """

    exit_code = 8

    def __init__(
        self, message: str, hint: str = "", *, status: int | None = None, code: str = ""
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code


class DeploymentFailed(DeployError):
    """The platform accepted the bundle, then failed to build or start it.

    :param deployment: the one that failed, where it is known.
    """

    exit_code = 9

    def __init__(
        self, message: str, hint: str = "", *, deployment: Deployment | None = None
    ) -> None:
        super().__init__(message, hint)
        self.deployment = deployment


class DeployTimeout(DeployError):
    """The platform did not reach a final state in the time allowed."""

    exit_code = 10


class AgentFailed(MastraError):
    """A run ended in ``Failure``; the message is safe to show to whoever called.

    :param kind: what went wrong, in a word (``ModelRateLimitError``).
    :param status: the HTTP answer it deserves.
    """

    def __init__(
        self, message: str, hint: str = "", *, kind: str = "Error", status: int = 500
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind
        self.status = status


class StorageError(MastraError):
    """What a running app stores cannot be read or written: a full disk, a damaged file."""


class McpFailed(MastraError):
    """A server of the Model Context Protocol cannot be reached, or does not answer."""


class RequestError(MastraError):
    """Whoever called a running app made a mistake; ``status`` is the HTTP answer."""

    status: ClassVar[int] = 400


class InvalidInput(RequestError):
    """Data does not fit the declared type.

    :param issues: one ``(field, message)`` pair for each thing that is wrong.
    """

    def __init__(
        self, message: str, hint: str = "", *, issues: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message, hint)
        self.issues = issues


class Forbidden(RequestError):
    """The caller may not have this: it is somebody else's."""

    status = 403


class NotFound(RequestError):
    """There is no agent, workflow, tool or run of that name."""

    status = 404


class Conflict(RequestError):
    """The run is in a state that does not allow this."""

    status = 409


class TooManyRuns(RequestError):
    """The bounded journal is full of runs that have not finished."""

    status = 429
