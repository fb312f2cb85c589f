"""<<title>>'s HTTP API, as far as deploying needs it: one method a request."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mastra_core import Secret
from mastra_core.errors import AuthError
from mastra_core.pipeline import Stage

from mastra_deployer_<<NAME>>.settings import <<cls>>

if TYPE_CHECKING:
    import httpx

_ABSENT = {"mastra_accept": (404,)}  # not there is an answer, no error


@contextlib.contextmanager
def connected(
    settings: <<cls>>,
    credentials: Mapping[str, Secret],
) -> Iterator[Api]:
    """Open <<title>>'s API for one app.

    :raises AuthError: when there is no token.
    """
    from mastra_deployer.kit import connect

    if "<<ENV>>_TOKEN" not in credentials:
        raise AuthError(
            "<<ENV>>_TOKEN is not set.",
            "Make a token at <<title>> and set it.",
        )
    token = credentials["<<ENV>>_TOKEN"]
    with connect(settings.api_url, token, name="<<title>>") as client:
        yield Api(client, settings.app)


class Api:
    """Requests for one app."""

    def __init__(self, client: httpx.Client, app: str) -> None:
        self._client = client
        self._app = f"/apps/{quote(app, safe='')}"

    def user(self) -> str:
        """Whose token it is: GET /user."""
        return str(self._json("GET", "/user")["name"])

    def create_app(self) -> None:
        """Make the app, where it is not there: PUT /apps/APP.

        Where a platform creates by POST, use ``mastra_deployer.kit.get_or_create(find, create)``: it never
        makes a second one when an answer is lost.
        """
        self._json("PUT", self._app, {})

    def announce(self, id: str, files: Mapping[str, str], facts: Mapping[str, str]) -> list[str]:
        """Name a deployment's files: PUT /apps/APP/deployments/ID.

        :param files: path to SHA-256.
        :returns: the digests whose content is not there yet.
        """
        told = self._json("PUT", f"{self._app}/deployments/{id}", {**facts, "files": dict(files)})
        return list(told["missing"])

    def send(self, digest: str, content: bytes) -> None:
        """Store content: PUT /blobs/SHA256."""
        self._client.put(f"/blobs/{digest}", content=content)

    def env(self, stage: Stage) -> list[str]:
        """Names of the stage's variables: GET /apps/APP/env/STAGE."""
        return list(self._json("GET", f"{self._app}/env/{stage}").get("names", ()))

    def set_env(self, stage: Stage, values: Mapping[str, str | None]) -> None:
        """Set variables, or remove them by ``None``: PUT /apps/APP/env/STAGE."""
        self._json("PUT", f"{self._app}/env/{stage}", values)

    def release(self, stage: Stage, id: str, fingerprint: str = "") -> dict[str, Any]:
        """Let users see a deployment: PUT /apps/APP/stages/STAGE.

        :param fingerprint: kept with it, and given back once users see it.
        """
        told = {"deployment": id, "fingerprint": fingerprint}
        return self._json("PUT", f"{self._app}/stages/{stage}", told)

    def released(self, stage: Stage) -> dict[str, Any]:
        """Ask what came of that: GET /apps/APP/stages/STAGE."""
        return self._json("GET", f"{self._app}/stages/{stage}")

    def previous(self) -> str:
        """Ask what was live before in production; empty for nothing: GET /apps/APP."""
        return str(self._json("GET", self._app).get("previous", ""))

    def deployments(self) -> list[dict[str, Any]]:
        """Ask for all, the newest first: GET /apps/APP/deployments."""
        return list(self._json("GET", f"{self._app}/deployments").get("deployments", ()))

    def destroy(self) -> bool:
        """Remove the app: DELETE /apps/APP; whether there was one."""
        return bool(self._json("DELETE", self._app))

    def _json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Send a request; an empty answer for what is not there and is only asked for."""
        accepts = _ABSENT if body is None else {}
        answer = self._client.request(method, path, json=body, extensions=accepts)
        told: dict[str, Any] = answer.json() if answer.status_code != 404 else {}
        return told
