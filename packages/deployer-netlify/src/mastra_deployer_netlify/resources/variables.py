"""Store the app's environment variables at Netlify, write-only and for one stage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError, DeployError
from mastra_core.hooks import EnvEffect
from mastra_core.pipeline import Stage
from mastra_core.secret import Secret
from mastra_deployer.kit import quote_segment
from mastra_deployer_netlify.resources.lists import read_objects

if TYPE_CHECKING:
    import httpx

__all__ = ("SCOPES", "Variables")

SCOPES = ("builds", "functions", "runtime")  # all scopes that a secret may have
_CONTEXTS: Mapping[Stage, tuple[str, ...]] = {
    "production": ("production",),
    "preview": ("deploy-preview", "branch-deploy"),
}
_ALL = ("production", "deploy-preview", "branch-deploy", "dev")  # what the context "all" means


class Variables:
    """An ``EnvStore`` for Netlify's API: ``/accounts/{account_id}/env``.

    A deployment gets the values when it is created. Later changes of the variables do not affect
    the deployment.

    :param client: client of Netlify's API.
    :param site: the site, as Netlify describes it; ``None`` while there is none.
    :param stage: ``production`` or ``preview``.
    """

    def __init__(self, client: httpx.Client, site: Mapping[str, Any] | None, stage: Stage) -> None:
        self._client, self._site = client, site
        self._contexts = _CONTEXTS[stage]

    def list(self) -> Mapping[str, str]:
        """List the variables of the stage: ``GET /accounts/{account_id}/env``.

        :returns: the contexts of each variable, by its name.
        """
        return {str(item["key"]): ", ".join(_list_contexts(item)) for item in self._fetch()}

    def set(self, values: Mapping[str, Secret]) -> EnvEffect:
        """Create secrets with ``POST .../env``, and change variables with ``PATCH .../env/{key}``.

        :param values: values by name.
        :returns: ``next-deploy``, because a deployment keeps the variables with which it was
            created.
        :raises ApiError: when Netlify did not store all values.
        """
        if not values:
            return "next-deploy"
        existing = {item["key"] for item in self._fetch_all()}
        if new := {name: value for name, value in values.items() if name not in existing}:
            self._create(new)
        for name in sorted(existing & set(values)):
            self._replace(name, values[name])
        if missing := sorted(set(values) - set(self.list())):
            raise ApiError(
                f"Netlify did not store these variables: {', '.join(missing)}.",
                "Run the same command again. The other variables are set. Nothing was deployed.",
            )
        return "next-deploy"

    def unset(self, names: Iterable[str]) -> EnvEffect:
        """Remove values of the stage: ``DELETE .../env/{key}/value/{id}``.

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
        """Return when a variable of this stage last changed; ``None`` if there is no variable."""
        times = [str(item["updated_at"]) for item in self._fetch() if item.get("updated_at")]
        return max(map(dt.datetime.fromisoformat, times), default=None)

    def _create(self, values: Mapping[str, Secret]) -> None:
        body = [
            {
                "key": name,
                "is_secret": True,
                "scopes": list(SCOPES),
                "values": self._build_values(value),
            }
            for name, value in values.items()
        ]
        try:
            self._client.post(self._build_path(), params=self._get_query(), json=body)
        except ApiError:
            # The response may be lost, or another deploy may have created some of them.
            existing = {item["key"] for item in self._fetch_all()}
            if not existing & set(values):
                raise
            for name in sorted(existing & set(values)):
                self._replace(name, values[name])

    def _replace(self, name: str, value: Secret) -> None:
        """Set the value in the contexts of the stage, and keep the values of other contexts."""
        for item in self._build_values(value):
            self._client.patch(
                self._build_path(name),
                params=self._get_query(),
                json=item,
                extensions={"mastra_idempotent": True},
            )

    def _remove(self, item: Mapping[str, Any]) -> None:
        values = [value for value in item.get("values") or [] if isinstance(value, dict)]
        rest = [value for value in values if value.get("context") not in (*self._contexts, "all")]
        for value in values:
            if value.get("context") == "all":
                # Contexts with a value of their own do not get the value of "all".
                own = {each.get("context") for each in rest}
                contexts = [name for name in _ALL if name not in {*self._contexts, *own}]
                rest += [{"context": name, "value": value.get("value")} for name in contexts]
                self._write_values(item, rest)
                return
        path = self._build_path(str(item["key"]))
        if not rest:
            self._delete(path)
            return
        for value in values:
            if value.get("context") in self._contexts:
                self._delete(f"{path}/value/{quote_segment(value['id'])}")

    def _write_values(self, item: Mapping[str, Any], values: Iterable[Mapping[str, Any]]) -> None:
        """Replace all values of a variable. The values to keep must be readable."""
        body = {"key": item["key"], "is_secret": bool(item.get("is_secret"))}
        contents = [
            {name: value for name, value in each.items() if name != "id"} for each in values
        ]
        self._client.put(
            self._build_path(str(item["key"])),
            params=self._get_query(),
            json={**body, "scopes": item.get("scopes") or [], "values": contents},
        )

    def _delete(self, path: str) -> None:
        self._client.delete(path, params=self._get_query(), extensions={"mastra_accept": (404,)})

    def _build_values(self, value: Secret) -> Sequence[dict[str, str]]:
        return [{"context": context, "value": value.reveal()} for context in self._contexts]

    def _fetch(self) -> Sequence[dict[str, Any]]:
        """Return the variables that have a value in the stage."""
        relevant_contexts = {*self._contexts, "all"}
        items = self._fetch_all()
        return [item for item in items if relevant_contexts & set(_list_contexts(item))]

    def _fetch_all(self) -> Sequence[dict[str, Any]]:
        if self._site is None:
            return []
        return read_objects(self._client.get(self._build_path(), params=self._get_query()))

    def _build_path(self, name: str = "") -> str:
        account = self._get_site()["account_id"]
        return f"/accounts/{quote_segment(account)}/env{'/' + quote_segment(name) if name else ''}"

    def _get_query(self) -> dict[str, str]:
        return {"site_id": str(self._get_site()["id"])}

    def _get_site(self) -> Mapping[str, Any]:
        if self._site is None:
            raise DeployError(
                "The site to which these variables belong does not exist on Netlify.",
                "Deploy the app first.",
            )
        return self._site


def _list_contexts(item: Mapping[str, Any]) -> list[str]:
    values = item.get("values") or []
    return [str(value.get("context")) for value in values if isinstance(value, dict)]
