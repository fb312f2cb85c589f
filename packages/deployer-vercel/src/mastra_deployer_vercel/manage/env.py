"""The store of environment variables for commands; it opens a client for each call."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from mastra_core.hooks import EnvEffect
from mastra_core.pipeline import Stage
from mastra_core.secret import Secret
from mastra_deployer_vercel.api import open_api
from mastra_deployer_vercel.resources.variables import Variables
from mastra_deployer_vercel.settings import VercelDeployer

__all__ = ("VercelEnvStore",)


class VercelEnvStore:
    """An ``EnvStore`` of the project's variables.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param stage: ``production`` or ``preview``.
    """

    def __init__(
        self, settings: VercelDeployer, credentials: Mapping[str, Secret], stage: Stage
    ) -> None:
        self._settings, self._credentials, self._stage = settings, credentials, stage

    def list(self) -> Mapping[str, str]:
        """List the variables.

        :returns: the environments of each variable, by its name.
        """
        with open_api(self._settings, self._credentials) as client:
            return Variables(client, self._settings, self._stage).list()

    def set(self, values: Mapping[str, Secret]) -> EnvEffect:
        """Create or replace variables; the project is created where it does not exist.

        :param values: values by name.
        :returns: a deployment keeps the variables with which it was created.
        """
        from mastra_deployer_vercel.resources.project import get_or_create_project

        with open_api(self._settings, self._credentials) as client:
            get_or_create_project(client, self._settings)
            Variables(client, self._settings, self._stage).set(values)
        return "next-deploy"

    def unset(self, names: Iterable[str]) -> EnvEffect:
        """Remove variables.

        :param names: names of the variables; unknown names are ignored.
        :returns: a deployment keeps the variables with which it was created.
        """
        with open_api(self._settings, self._credentials) as client:
            Variables(client, self._settings, self._stage).unset(names)
        return "next-deploy"

    def get_change_time(self) -> dt.datetime | None:
        """Return when a variable of the stage was last set."""
        with open_api(self._settings, self._credentials) as client:
            return Variables(client, self._settings, self._stage).get_change_time()
