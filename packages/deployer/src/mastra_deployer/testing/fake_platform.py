"""The fake platform, which an author provides together with the deployer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mastra_core.pipeline import Stage

__all__ = ("FakePlatform", "Live")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Live:
    """The deployment that users of a stage see.

    :param id: the deployment's id, the same as in ``Deployment.id``.
    :param files: the content of each file, by its path on the platform; archives are unpacked.
    :param env: the variables that the app runs with.
    """

    id: str
    files: Mapping[str, bytes]
    env: Mapping[str, str]


class FakePlatform(Protocol):
    """An HTTP server on loopback that behaves like the platform.

    The server may run in this process or in another process on this machine. If a response contains
    an address of the platform, build it from the request's ``Host``, so that the address leads
    through the suite's proxy.
    """

    @property
    def url(self) -> str:
        """The base address of the API, with a path if the platform has one."""

    @property
    def token(self) -> str:
        """The only credential that the platform accepts."""

    def get_settings(self) -> Mapping[str, Any]:
        """Return the deployer's settings without the address: ``{"app": "shop"}``."""

    def get_live(self, environment: Stage) -> Live | None:
        """Return the deployment that users of a stage see, or ``None`` if nothing is live.

        :param environment: the stage.
        """

    def list_resources(self) -> Sequence[str]:
        """Return the ids of all created resources: apps and deployments, but no files."""

    def reset(self) -> None:
        """Delete everything that was created or sent, and remove all faults."""

    def clear_faults(self) -> None:
        """End the faults that other methods began, such as ``reject_changes``."""

    def reject_changes(self, message: str) -> None:
        """Refuse requests that change something, with an error other than 401 and 5xx.

        :param message: the message of the error.
        """

    def fail_deployments(self, message: str) -> None:
        """Let every deployment fail during its build or start.

        The suite calls this method only if ``can_fail`` is on.

        :param message: the message of the failure.
        """

    def hang_deployments(self) -> None:
        """Let no deployment finish; the suite calls this method only if ``can_hang`` is on."""

    def get_traffic(self) -> Mapping[str, int]:
        """Return each deployment's percentage of production's traffic, by id.

        The suite calls this method only if ``canary`` is on.
        """

    def write_log(self, text: str) -> None:
        """Let the app that is live in production log a line.

        The suite calls this method only if ``logs`` is on.

        :param text: the line.
        """
