"""The fake platform that an author gives the suite beside the deployer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mastra_core.pipeline import Stage

__all__ = ("FakePlatform", "Live")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Live:
    """The deployment that users of a stage see.

    :param id: as in ``Deployment.id``.
    :param files: content by path, as the platform lays them out; archives are unpacked.
    :param env: the variables that the app runs with.
    """

    id: str
    files: Mapping[str, bytes]
    env: Mapping[str, str]


class FakePlatform(Protocol):
    """An HTTP server on loopback that behaves as the platform does.

    It may run in this process or in another one on this machine. Where a response has an address
    of the platform, it must be built from the request's ``Host``, so that it leads through the
    suite's proxy.
    """

    @property
    def url(self) -> str:
        """Base address of the API, with a path where the platform has one."""

    @property
    def token(self) -> str:
        """The only credential that the platform accepts."""

    def get_settings(self) -> Mapping[str, Any]:
        """Return the deployer's settings without the address: ``{"app": "shop"}``."""

    def get_live(self, environment: Stage) -> Live | None:
        """Return what users of a stage see, or ``None`` while nothing is live.

        :param environment: the stage.
        """

    def list_resources(self) -> Sequence[str]:
        """Return the ids of all created resources: apps and deployments, but not files."""

    def reset(self) -> None:
        """Delete everything that was created or sent, and remove all faults."""

    def clear_faults(self) -> None:
        """Remove the faults of the methods below."""

    def reject_changes(self, message: str) -> None:
        """Answer requests that change something with an error that is not 401 and not 5xx.

        :param message: of the error.
        """

    def fail_deployments(self, message: str) -> None:
        """Let every deployment fail while it is built or started.

        Called only where ``can_fail`` is on.

        :param message: of the failure.
        """

    def hang_deployments(self) -> None:
        """Let no deployment finish. Called only where ``can_hang`` is on."""

    def get_traffic(self) -> Mapping[str, int]:
        """Return the percentage of production's traffic by deployment id.

        Called only where ``canary`` is on.
        """

    def write_log(self, text: str) -> None:
        """Let the live app in production log a line. Called only where ``logs`` is on.

        :param text: the line.
        """
