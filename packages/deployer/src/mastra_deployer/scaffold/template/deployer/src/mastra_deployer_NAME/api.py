"""The requests to <<title>>'s HTTP API: one method for each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core import Secret
from mastra_core.pipeline import Stage

from mastra_deployer_<<NAME>>.settings import <<cls>>

if TYPE_CHECKING:
    import httpx

_ACCEPT_MISSING = {"mastra_accept": (404,)}  # returns a 404 in place of raising
# Hints for errors, by <<title>>'s own code or by status.
_HINTS: Mapping[str | int, str] = {
    401: "Create a new token at <<title>> and set <<ENV>>_TOKEN.",
    403: "Create a token for the team that owns the app.",
}


@contextlib.contextmanager
def open_api(
    settings: <<cls>>,
    credentials: Mapping[str, Secret],
) -> Iterator[Api]:
    """Open <<title>>'s API for one app.

    :param settings: with the app and the address of the API.
    :param credentials: with the token.
    :raises AuthError: when there is no token.
    """
    from mastra_deployer.kit import open_client

    with open_client(
        settings.api_url,
        credentials,
        "<<ENV>>_TOKEN",
        name="<<title>>",
        hint="Create a token at <<title>> and set the variable.",
        hints=_HINTS,
    ) as client:
        yield Api(client, settings.app)


class Api:
    """Sends requests for one app."""

    def __init__(self, client: httpx.Client, app: str) -> None:
        from mastra_deployer.kit import quote_segment

        self._client = client
        self._app = f"/apps/{quote_segment(app)}"

    def get_user(self) -> str:
        """Return the name of the token's owner: GET /user."""
        return str(self._request("GET", "/user")["name"])

    def create_app(self) -> None:
        """Create the app if it does not exist: PUT /apps/APP.

        Where a platform creates by POST, use `mastra_deployer.kit.get_or_create`. It creates no
        second app when a response is lost.
        """
        self._request("PUT", self._app, {})

    def create_deployment(
        self, id: str, files: Mapping[str, str], metadata: Mapping[str, str]
    ) -> list[str]:
        """Create a deployment from its files' digests: PUT /apps/APP/deployments/ID.

        :param id: the id of the deployment; the same id gives the same deployment.
        :param files: SHA-256 digests by path.
        :param metadata: stored with the deployment.
        :returns: the digests whose content <<title>> does not have.
        """
        body = {**metadata, "files": dict(files)}
        return list(self._request("PUT", f"{self._app}/deployments/{id}", body)["missing"])

    def upload_blob(self, digest: str, content: bytes) -> None:
        """Store content by its digest: PUT /blobs/SHA256."""
        self._client.put(f"/blobs/{digest}", content=content)

    def list_blobs(self) -> set[str]:
        """Return the digests whose content <<title>> has: GET /blobs."""
        return set(self._request("GET", "/blobs").get("digests", ()))

    def list_env(self, stage: Stage) -> list[str]:
        """Return the names of a stage's variables: GET /apps/APP/env/STAGE."""
        return list(self._request("GET", f"{self._app}/env/{stage}").get("names", ()))

    def set_env(self, stage: Stage, values: Mapping[str, str | None]) -> None:
        """Set variables, or remove them with `None`: PUT /apps/APP/env/STAGE."""
        self._request("PUT", f"{self._app}/env/{stage}", values)

    def create_release(
        self,
        stage: Stage,
        id: str,
        fingerprint: str = "",
        env: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Start to make a deployment live with its variables: PUT /apps/APP/stages/STAGE.

        :param stage: the stage in which the release becomes live.
        :param id: the id of the deployment.
        :param fingerprint: returned with the deployment once it is live.
        :param env: variables to set; others stay.
        """
        body = {"deployment": id, "fingerprint": fingerprint, "env": dict(env or {})}
        return self._request("PUT", f"{self._app}/stages/{stage}", body)

    def get_release(self, stage: Stage) -> dict[str, Any]:
        """Return the state of a stage's latest release: GET /apps/APP/stages/STAGE."""
        return self._request("GET", f"{self._app}/stages/{stage}")

    def get_app(self) -> dict[str, Any]:
        """Return the app, with the ids "live" and "previous"; {} without one: GET /apps/APP."""
        return self._request("GET", self._app)

    def set_share(self, id: str, percent: int) -> dict[str, Any]:
        """Send a share of production's traffic to a deployment: PUT /apps/APP/share."""
        return self._request("PUT", f"{self._app}/share", {"deployment": id, "percent": percent})

    def list_lines(self, id: str, since: str) -> list[dict[str, Any]]:
        """Return a deployment's log, oldest first: GET /apps/APP/deployments/ID/log.

        :param id: the id of the deployment.
        :param since: time of the first line, in ISO 8601.
        """
        from mastra_deployer.kit import quote_segment

        path = f"{self._app}/deployments/{quote_segment(id)}/log"
        return list(self._client.get(path, params={"since": since}).json()["lines"])

    def list_deployments(self) -> list[dict[str, Any]]:
        """Return all deployments, the newest first: GET /apps/APP/deployments."""
        return list(self._request("GET", f"{self._app}/deployments").get("deployments", ()))

    def delete_app(self) -> bool:
        """Delete the app, and return whether it existed: DELETE /apps/APP."""
        existed = bool(self.get_app())  # a repeated deletion gets 404
        self._request("DELETE", self._app)
        return existed

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Send a request; for a missing resource, return an empty result."""
        from mastra_deployer.kit import read_object

        extensions = _ACCEPT_MISSING if body is None else {}
        response = self._client.request(method, path, json=body, extensions=extensions)
        return read_object(response) if response.status_code != 404 else {}
