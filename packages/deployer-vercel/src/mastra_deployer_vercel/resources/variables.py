"""Store the app's environment variables in a project, write-only and for one environment."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError
from mastra_core.hooks import EnvEffect
from mastra_core.pipeline import Stage
from mastra_core.secret import Secret
from mastra_deployer.kit import quote_segment, read_object
from mastra_deployer_vercel.api import build_project_path
from mastra_deployer_vercel.resources.custom_environment import get_environment_id
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("Variables",)


class Variables:
    """An ``EnvStore`` for Vercel's API: ``/v10/projects/{name}/env``.

    A deployment gets the values when it is created. Later changes of the variables do not affect
    the deployment.

    :param client: client of Vercel's API.
    :param settings: settings of the deployer.
    :param stage: ``production`` or ``preview``.
    """

    def __init__(self, client: httpx.Client, settings: VercelDeployer, stage: Stage) -> None:
        self._client, self._settings, self._stage = client, settings, stage
        self._slug = settings.custom_environment if stage == "preview" else ""

    def list(self) -> Mapping[str, str]:
        """List the variables: ``GET /v10/projects/{name}/env``.

        :returns: the environments of each variable, by its name.
        """
        return {
            item["key"]: ", ".join(map(self._get_slug, _list_environments(item)))
            for item in self._fetch()
        }

    def set(self, values: Mapping[str, Secret]) -> EnvEffect:
        """Create or replace variables of type ``sensitive``: ``POST /v10/projects/{name}/env``.

        :param values: values by name.
        :returns: ``next-deploy``, because a deployment keeps the variables with which it was
            created.
        :raises ApiError: if Vercel's response reports rejected variables, even if its status is
            201.
        """
        if not values:
            return "next-deploy"
        body = [
            {"key": name, "value": value.reveal(), "type": "sensitive", **self._build_scope()}
            for name, value in values.items()
        ]
        response = self._client.post(
            self._build_path(),
            params={**dict(self._client.params), "upsert": "true"},
            json=body,
            extensions={"mastra_idempotent": True},
        )
        failures = read_object(response).get("failed") or []
        if failures:
            reasons = "; ".join(_format_failure(item) for item in failures)
            raise ApiError(
                f"Vercel rejected some environment variables: {reasons}.",
                "Correct these variables. The other variables are set. Nothing was deployed.",
                status=response.status_code,
            )
        return "next-deploy"

    def unset(self, names: Iterable[str]) -> EnvEffect:
        """Remove variables: ``DELETE /v9/projects/{name}/env/{id}``.

        If other environments also use a variable, a ``PATCH`` removes only this environment from
        it.

        :param names: names of the variables; unknown names are ignored.
        :returns: ``next-deploy``, because a deployment keeps the variables with which it was
            created.
        """
        names_to_remove = set(names)
        for item in self._fetch():
            if item["key"] in names_to_remove:
                self._remove(item)
        return "next-deploy"

    def get_change_time(self) -> dt.datetime | None:
        """Return when the environment's variables last changed; ``None`` without variables."""
        times = (item.get("updatedAt") or item.get("createdAt") or 0 for item in self._fetch())
        newest = max(times, default=0)
        return dt.datetime.fromtimestamp(newest / 1000, dt.UTC) if newest else None

    def _remove(self, item: Mapping[str, Any]) -> None:
        path = build_project_path(self._settings, 9, f"/env/{quote_segment(item['id'])}")
        if set(_list_environments(item)) == {self._environment}:
            self._client.delete(path, extensions={"mastra_accept": (404,)})
            return
        field = "customEnvironmentIds" if self._slug else "target"
        rest = [each for each in item[field] if each != self._environment]
        self._client.patch(path, json={field: rest}, extensions={"mastra_idempotent": True})

    def _fetch(self) -> Sequence[dict[str, Any]]:
        """Return the variables of the environment."""
        response = self._client.get(self._build_path(), extensions={"mastra_accept": (404,)})
        items = read_object(response).get("envs") or ()
        return [item for item in items if self._environment in _list_environments(item)]

    def _build_path(self) -> str:
        return build_project_path(self._settings, 10, "/env")

    @functools.cached_property
    def _environment(self) -> str:
        """The stage, or the id of the custom environment."""
        return get_environment_id(self._client, self._settings) if self._slug else self._stage

    def _get_slug(self, environment: str) -> str:
        return self._slug if self._slug and environment == self._environment else environment

    def _build_scope(self) -> dict[str, Sequence[str]]:
        return {"customEnvironmentIds" if self._slug else "target": [self._environment]}


def _list_environments(item: Mapping[str, Any]) -> list[str]:
    target = item.get("target") or []
    environments = [target] if isinstance(target, str) else list(target)
    return [*environments, *(item.get("customEnvironmentIds") or [])]


def _format_failure(item: Mapping[str, Any]) -> str:
    error = item.get("error") or {}
    name = error.get("envVarKey") or error.get("key") or "a variable"
    return f"{name}: {error.get('message') or error.get('code') or 'rejected'}"
