"""The app's environment variables in a project: write-only, for one environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError, DeployError
from mastra_core.pipeline import Stage
from mastra_core.secret import Secret
from mastra_deployer_vercel.api import fields, project_path
from mastra_deployer_vercel.settings import VercelDeployer

if TYPE_CHECKING:
    import httpx

__all__ = ("Variables", "refuse_values")

_TOTAL = 64 * 1024  # bytes of names and values that one deployment gets


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
            item["key"]: ", ".join(_places(item))
            for item in self._there()
            if self._place() in _places(item)
        }

    def set(self, values: Mapping[str, Secret]) -> None:
        """Create or replace, as ``sensitive``: nobody can read them back.

        :raises ApiError: when Vercel takes some and refuses others, which it does with a 201.
        """
        if not values:
            return
        body = [
            {"key": name, "value": value.reveal(), "type": "sensitive", **self._where()}
            for name, value in values.items()
        ]
        answer = self._client.post(
            self._path(),
            params={**dict(self._client.params), "upsert": "true"},
            json=body,
            extensions={"mastra_idempotent": True},
        )
        failed = fields(answer).get("failed") or []
        if failed:
            told = "; ".join(_refusal(item) for item in failed)
            raise ApiError(
                f"Vercel did not take every environment variable: {told}.",
                "Correct these; the others are set. Nothing was deployed.",
                status=answer.status_code,
            )

    def unset(self, names: Iterable[str]) -> None:
        """Remove here; what is for other environments too stays there."""
        wanted, place = set(names), self._place()
        for item in self._there():
            if item["key"] not in wanted or place not in _places(item):
                continue
            path = project_path(self._settings, 9, f"/env/{item['id']}")
            others = [name for name in item.get("target") or [] if name != place]
            if others and place in (item.get("target") or []):
                self._client.patch(
                    path, json={"target": others}, extensions={"mastra_idempotent": True}
                )
            else:
                self._client.delete(path, extensions={"mastra_accept": (404,)})

    def _there(self) -> Sequence[dict[str, Any]]:
        answer = self._client.get(self._path(), extensions={"mastra_accept": (404,)})
        return tuple(fields(answer).get("envs") or ())

    def _path(self) -> str:
        return project_path(self._settings, 10, "/env")

    def _place(self) -> str:
        return self._custom() or self._stage

    def _custom(self) -> str:
        return self._settings.custom_environment if self._stage == "preview" else ""

    def _where(self) -> dict[str, Sequence[str]]:
        if custom := self._custom():
            return {"customEnvironmentIds": [custom]}
        return {"target": [self._stage]}


def refuse_values(values: Mapping[str, Secret]) -> None:
    """Stop before anything is sent where there is more than Vercel takes.

    :raises DeployError: with how much there is.
    """
    size = sum(len(name) + len(value.reveal().encode()) for name, value in values.items())
    if size > _TOTAL:
        raise DeployError(
            f"The environment variables have {size} bytes, and Vercel gives an app {_TOTAL}.",
            "Keep large values elsewhere, and read them when the app starts.",
        )


def _places(item: Mapping[str, Any]) -> list[str]:
    target = item.get("target") or []
    named = [target] if isinstance(target, str) else list(target)
    return [*named, *(item.get("customEnvironmentIds") or [])]


def _refusal(item: Mapping[str, Any]) -> str:
    error = item.get("error") or {}
    name = error.get("envVarKey") or error.get("key") or "one"
    return f"{name}: {error.get('message') or error.get('code') or 'refused'}"
