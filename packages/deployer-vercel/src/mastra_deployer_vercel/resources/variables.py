"""The app's environment variables in a project: write-only, for one environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError, DeployError
from mastra_core.pipeline import Stage
from mastra_core.secret import Secret
from mastra_deployer_vercel.api import build_project_path, read_object
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("Variables", "check_total_size")

_MAX_SIZE = 64 * 1024  # bytes of names and values that one deployment gets


class Variables:
    """An ``EnvStore``: ``/v10/projects/{name}/env``.

    Values are bound when a deployment is made; changing them changes nothing that runs.
    """

    def __init__(self, client: httpx.Client, settings: VercelDeployer, stage: Stage) -> None:
        self._client, self._settings = client, settings
        self._stage = stage

    def list(self) -> Mapping[str, str]:
        """Names, and the environments each is for."""
        return {
            item["key"]: ", ".join(_list_environments(item))
            for item in self._fetch()
            if self._get_environment() in _list_environments(item)
        }

    def set(self, values: Mapping[str, Secret]) -> None:
        """Create or replace, as ``sensitive``: nobody can read them back.

        :raises ApiError: when Vercel takes some and refuses others, which it does with a 201.
        """
        if not values:
            return
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
                f"Vercel did not take every environment variable: {reasons}.",
                "Correct these; the others are set. Nothing was deployed.",
                status=response.status_code,
            )

    def unset(self, names: Iterable[str]) -> None:
        """Remove here; what is for other environments too stays there."""
        removed, environment = set(names), self._get_environment()
        for item in self._fetch():
            if item["key"] not in removed or environment not in _list_environments(item):
                continue
            path = build_project_path(self._settings, 9, f"/env/{item['id']}")
            remaining = [name for name in item.get("target") or [] if name != environment]
            if remaining and environment in (item.get("target") or []):
                self._client.patch(
                    path, json={"target": remaining}, extensions={"mastra_idempotent": True}
                )
            else:
                self._client.delete(path, extensions={"mastra_accept": (404,)})

    def _fetch(self) -> Sequence[dict[str, Any]]:
        response = self._client.get(self._build_path(), extensions={"mastra_accept": (404,)})
        return tuple(read_object(response).get("envs") or ())

    def _build_path(self) -> str:
        return build_project_path(self._settings, 10, "/env")

    def _get_environment(self) -> str:
        return self._get_custom_environment() or self._stage

    def _get_custom_environment(self) -> str:
        return self._settings.custom_environment if self._stage == "preview" else ""

    def _build_scope(self) -> dict[str, Sequence[str]]:
        if custom := self._get_custom_environment():
            return {"customEnvironmentIds": [custom]}
        return {"target": [self._stage]}


def check_total_size(values: Mapping[str, Secret]) -> None:
    """Stop before anything is sent where there is more than Vercel takes.

    :raises DeployError: with how much there is.
    """
    size = sum(len(name) + len(value.reveal().encode()) for name, value in values.items())
    if size > _MAX_SIZE:
        raise DeployError(
            f"The environment variables have {size} bytes, and Vercel gives an app {_MAX_SIZE}.",
            "Keep large values elsewhere, and read them when the app starts.",
        )


def _list_environments(item: Mapping[str, Any]) -> list[str]:
    target = item.get("target") or []
    environments = [target] if isinstance(target, str) else list(target)
    return [*environments, *(item.get("customEnvironmentIds") or [])]


def _format_failure(item: Mapping[str, Any]) -> str:
    error = item.get("error") or {}
    name = error.get("envVarKey") or error.get("key") or "one"
    return f"{name}: {error.get('message') or error.get('code') or 'refused'}"
