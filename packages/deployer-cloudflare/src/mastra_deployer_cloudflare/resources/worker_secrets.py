"""The secrets of a Worker; each version of the Worker contains its own copy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError
from mastra_core.hooks import EnvEffect, EnvStore
from mastra_core.secret import Secret
from mastra_deployer.kit import env_store, quote_segment, require_deployed
from mastra_deployer_cloudflare.resources.versions import WorkerState, read_state
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("WorkerSecrets", "list_secret_names", "open_env_store", "read_bindings")

_TYPES = ("secret_text", "secret_key")
_MAX_SECRETS = 100  # of one request


class WorkerSecrets:
    """An ``EnvStore`` for Cloudflare's API: ``.../workers/scripts/{name}/secrets-bulk``.

    Each change of the secrets creates a new version, which serves the traffic at once.

    :param api: Cloudflare's API.
    :param name: the name of the Worker.
    """

    def __init__(self, api: CloudflareApi, name: str) -> None:
        self._api, self._name = api, name

    def list(self) -> Mapping[str, str]:
        """List the secrets of the live production version.

        :returns: the stage of each secret, by its name.
        """
        return dict.fromkeys(self._list_names() or (), "production")

    def set(self, values: Mapping[str, Secret]) -> EnvEffect:
        """Create or replace secrets: ``PATCH .../secrets-bulk``.

        :param values: values by name.
        :returns: ``now``, because a version with the new secrets replaces the live version.
        :raises DeployError: while nothing is deployed to production.
        :raises ApiError: when Cloudflare did not store all values.
        """
        state = read_state(self._api, self._name)
        require_deployed(
            state and state.production,
            f"The variables cannot be stored, because the Worker {self._name!r} is not deployed to "
            "production.",
            "Deploy first, with --prod. A deploy also sets the variables that the app declares.",
        )
        entries = {
            name: {"name": name, "text": value.reveal(), "type": "secret_text"}
            for name, value in values.items()
        }
        self._change(entries)
        if missing := sorted(set(values) - set(self._list_names() or ())):
            raise ApiError(
                f"Cloudflare did not store these variables: {', '.join(missing)}.",
                "Run the same command again. The other variables are set.",
            )
        return "now"

    def unset(self, names: Iterable[str]) -> EnvEffect:
        """Remove secrets: ``PATCH .../secrets-bulk``.

        :param names: names of the secrets; unknown names are ignored.
        :returns: ``now``, because a version without the secrets replaces the live version.
        """
        known = set(self._list_names() or ())
        self._change(dict.fromkeys(sorted(known & set(names))))
        return "now"

    def _change(self, entries: Mapping[str, Any]) -> None:
        path, items = self._api.build_script_path(self._name, "/secrets-bulk"), [*entries.items()]
        for start in range(0, len(items), _MAX_SECRETS):
            chunk = dict(items[start : start + _MAX_SECRETS])
            self._api.patch(path, {"secrets": chunk}, merge=True)

    def _list_names(self) -> Sequence[str] | None:
        """Return the names of the secrets; ``None`` if there is no Worker."""
        state = read_state(self._api, self._name)
        return None if state is None else list_secret_names(self._api, state)


def read_bindings(api: CloudflareApi, name: str, version: str) -> list[dict[str, Any]]:
    """Return the bindings of a version, without values of secrets: ``GET .../versions/{id}``.

    :param api: Cloudflare's API.
    :param name: the name of the Worker.
    :param version: id of the version.
    """
    item = api.get(api.build_script_path(name, f"/versions/{quote_segment(version)}"))
    return list((item.get("resources") or {}).get("bindings") or ())


def list_secret_names(api: CloudflareApi, state: WorkerState) -> tuple[str, ...]:
    """Return the names of the secrets of the live production version.

    :param api: Cloudflare's API.
    :param state: the state of the Worker.
    """
    if state.production is None:
        return ()
    bindings = read_bindings(api, state.name, state.production.id)
    return tuple(str(item["name"]) for item in bindings if item.get("type") in _TYPES)


def open_env_store(settings: CloudflareDeployer, credentials: Mapping[str, Secret]) -> EnvStore:
    """Return the store for ``mastra env``.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    """
    from mastra_deployer_cloudflare.api import open_api

    return env_store(
        lambda: open_api(settings, credentials),
        lambda api: WorkerSecrets(api, settings.project_name),
    )
