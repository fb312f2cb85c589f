"""The variables' store as a command uses it: it opens the API for each call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mastra_core.pipeline import Stage
from mastra_core.secret import Secret
from mastra_deployer_vercel.api import open_api
from mastra_deployer_vercel.resources.variables import Variables
from mastra_deployer_vercel.settings import VercelDeployer

__all__ = ("VercelEnvStore",)


class VercelEnvStore:
    """An ``EnvStore``."""

    def __init__(
        self, settings: VercelDeployer, credentials: Mapping[str, Secret], stage: Stage
    ) -> None:
        self._settings, self._credentials, self._stage = settings, credentials, stage

    def list(self) -> Mapping[str, str]:
        """Names, and the environments each is for."""
        with open_api(self._settings, self._credentials) as client:
            return Variables(client, self._settings, self._stage).list()

    def set(self, values: Mapping[str, Secret]) -> None:
        """Create or replace; a project that is not there yet is made."""
        from mastra_deployer_vercel.resources.project import get_or_create_project

        with open_api(self._settings, self._credentials) as client:
            get_or_create_project(client, self._settings)
            Variables(client, self._settings, self._stage).set(values)

    def unset(self, names: Iterable[str]) -> None:
        """Remove; a name that is not there is fine."""
        with open_api(self._settings, self._credentials) as client:
            Variables(client, self._settings, self._stage).unset(names)
