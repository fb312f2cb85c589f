"""What an author hands the suite beside the deployer: a platform to try it on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mastra_core.pipeline import Stage

__all__ = ("FakePlatform", "Live")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Live:
    """What users of a stage see.

    :param id: of the deployment, as ``Deployment.id`` has it.
    :param files: path to content, as the platform would lay them out; archives are unpacked.
    :param env: the variables the app runs with.
    """

    id: str
    files: Mapping[str, bytes]
    env: Mapping[str, str]


class FakePlatform(Protocol):
    """An HTTP server on loopback that behaves as the platform does.

    It may run in this process, in threads, or anywhere else on this machine. What it answers with
    an address of its own is built from the request's ``Host``, so that it leads through the
    suite's proxy again.
    """

    @property
    def url(self) -> str:
        """Base address of its API, a path included where the platform has one."""

    @property
    def token(self) -> str:
        """The credential it takes; every other one it refuses."""

    def settings(self) -> Mapping[str, Any]:
        """Values of the deployer's settings beside the address: ``{"app": "shop"}``."""

    def live(self, environment: Stage) -> Live | None:
        """What users see there; ``None`` while there is nothing."""

    def things(self) -> Sequence[str]:
        """Everything that exists because it was created: apps, deployments; not single files."""

    def reset(self) -> None:
        """Forget everything that was created, and heal."""

    def heal(self) -> None:
        """Behave again."""

    def refuse(self, words: str) -> None:
        """Answer requests that change something with an error (not 401, not 5xx) in these words."""

    def fail(self, words: str) -> None:
        """Let every deployment fail while it is built or started, with these words.

        Only called where ``failing`` is on.
        """

    def hang(self) -> None:
        """Let no deployment finish. Only called where ``endless`` is on."""

    def traffic(self) -> Mapping[str, int]:
        """Percent of production's traffic by deployment. Only called where ``canary`` is on."""

    def say(self, text: str) -> None:
        """Let the live app in production log a line. Only called where ``logs`` is on."""
