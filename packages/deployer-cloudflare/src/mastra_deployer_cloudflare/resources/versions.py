"""Versions of a Worker, and the deployments that give them shares of the traffic."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mastra_core.pipeline import Deployment
from mastra_deployer.kit import DeploymentTags, create_new, require_deployed

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("Traffic", "WorkerState", "WorkerVersion", "deploy_versions", "read_state")

_ALL = 100  # percent


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkerVersion:
    """One version of a Worker.

    :param id: the id of the version.
    :param created: time at which the version was uploaded.
    :param has_preview: whether the version has its own address.
    :param tag: hash of the content that mastra uploaded; empty for versions of other tools.
    :param alias: the alias of the version's preview; empty without an alias.
    :param message: the text of the version's annotation, which contains mastra's tags.
    """

    id: str
    created: dt.datetime
    has_preview: bool
    tag: str
    alias: str
    message: str

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> WorkerVersion:
        """Read a version as Cloudflare describes it.

        :param item: the item of the list of versions, or the response to an upload.
        """
        metadata = item.get("metadata") or {}
        annotations = item.get("annotations") or {}
        return cls(
            id=str(item["id"]),
            created=parse_time(metadata.get("created_on")),
            has_preview=bool(metadata.get("has_preview", metadata.get("hasPreview"))),
            tag=str(annotations.get("workers/tag") or ""),
            alias=str(annotations.get("workers/alias") or ""),
            message=str(annotations.get("workers/message") or ""),
        )

    @property
    def stage(self) -> Literal["preview", "production"]:
        """The stage that the version was uploaded for; ``production`` if another tool made it."""
        is_preview = DeploymentTags.from_text(self.message).stage == "preview"
        return "preview" if is_preview else "production"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traffic:
    """One deployment of the Worker: the share of the traffic of each version, by id.

    :param id: the id of the deployment.
    :param created: time at which the deployment was created.
    :param shares: share of the traffic in percent, by the id of each version that has traffic.
    :param message: the text of the deployment's annotation.
    """

    id: str
    created: dt.datetime
    shares: Mapping[str, int]
    message: str

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Traffic:
        """Read a deployment as Cloudflare describes it.

        :param item: the item of the list of deployments.
        """
        versions = item.get("versions") or ()
        shares = {str(each["version_id"]): round(float(each["percentage"])) for each in versions}
        return cls(
            id=str(item.get("id") or ""),
            created=parse_time(item.get("created_on")),
            shares={key: share for key, share in shares.items() if share},
            message=str((item.get("annotations") or {}).get("workers/message") or ""),
        )

    @property
    def main(self) -> str:
        """The id of the version with the largest share; empty if there is none."""
        return max(self.shares, key=lambda key: self.shares[key], default="")

    @property
    def is_split(self) -> bool:
        """Whether two versions share the traffic."""
        return len(self.shares) > 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkerState:
    """The versions of a Worker and its deployments, newest first.

    :param name: the name of the Worker.
    :param versions: the versions that can be deployed.
    :param deployments: the deployments, of which the first one is the present deployment.
    """

    name: str
    versions: Sequence[WorkerVersion]
    deployments: Sequence[Traffic]

    @property
    def current(self) -> Traffic | None:
        """The present deployment; ``None`` if nothing is deployed."""
        return self.deployments[0] if self.deployments else None

    @property
    def shares(self) -> Mapping[str, int]:
        """The current shares of the traffic in percent, by the id of the version."""
        return self.current.shares if self.current else {}

    @property
    def live(self) -> WorkerVersion | None:
        """The version that receives all traffic, or all traffic but the canary's."""
        if self.current is None:
            return None
        stable_ids = (each for each in self.iter_live_ids() if each in self.shares)
        return self.find(next(stable_ids, self.current.main))

    @property
    def production(self) -> WorkerVersion | None:
        """The live version; ``None`` if the first upload was a preview and is still live."""
        live = self.live
        return live if live is not None and live.stage == "production" else None

    def find(self, id: str) -> WorkerVersion | None:
        """Return a version by its id or the first characters of its id.

        :param id: the id, or at least its first 8 characters.
        """
        matches = [item for item in self.versions if item.id == id]
        if not matches and len(id) >= len("01234567"):
            matches = [item for item in self.versions if item.id.startswith(id)]
        return matches[0] if len(matches) == 1 else None

    def require(self, id: str) -> WorkerVersion:
        """Return a version by its id.

        :param id: the id of the version.
        :raises DeployError: when there is no such version.
        """
        return require_deployed(
            self.find(id),
            f"The Worker {self.name!r} has no version {id!r} that can be deployed.",
            "`mastra deployments` lists the versions. Cloudflare keeps the newest 100.",
        )

    def get_tags(self, version: WorkerVersion) -> DeploymentTags:
        """Return the tags of a version's latest deployment, or else the tags of the version.

        :param version: a version of this Worker.
        """
        texts = [item.message for item in self.deployments if item.main == version.id]
        text = next((text for text in texts if text), version.message)
        return DeploymentTags.from_text(text)

    def iter_live_ids(self) -> Iterator[str]:
        """Yield the ids of the versions that have or had all traffic, the latest first."""
        for traffic in self.deployments:
            if traffic.shares.get(traffic.main) == _ALL:
                yield traffic.main

    def is_draft(self, version: WorkerVersion) -> bool:
        """Return whether a production version certainly never had traffic.

        Cloudflare lists only the latest deployments, so older versions may have had traffic.

        :param version: a version of this Worker.
        """
        had_traffic = any(version.id in item.shares for item in self.deployments)
        is_listed = bool(self.deployments) and version.created > self.deployments[-1].created
        return version.stage == "production" and is_listed and not had_traffic

    def to_deployment(self, version: WorkerVersion, url: str, preview_url: str) -> Deployment:
        """Convert a version to the type of the pipeline.

        :param version: a version of this Worker.
        :param url: address of the live version.
        :param preview_url: the version's own address; empty if it has none.
        """
        tags, share = self.get_tags(version), self.shares.get(version.id)
        live = self.production
        is_live = live is not None and live.id == version.id
        return Deployment(
            target="cloudflare",
            id=version.id,
            url=url if is_live else preview_url or url,
            environment=version.stage,
            created=version.created,
            live=is_live or version.stage == "preview",
            percent=None if share == _ALL else share,
            branch=tags.branch,
            message=tags.message,
            commit=tags.commit,
            fingerprint=tags.fingerprint,
            draft=not is_live and self.is_draft(version),
        )


def read_state(api: CloudflareApi, name: str) -> WorkerState | None:
    """Read the deployments and versions of a Worker; return ``None`` if there is no Worker.

    :param api: Cloudflare's API.
    :param name: the name of the Worker.
    """
    found = api.find(api.build_script_path(name, "/deployments"))
    if found is None:
        return None
    items = api.get(api.build_script_path(name, "/versions"), deployable="true")["items"]
    versions = sorted(map(WorkerVersion.from_item, items), key=_get_time, reverse=True)
    deployments = sorted(
        map(Traffic.from_item, found.get("deployments") or ()), key=_get_time, reverse=True
    )
    return WorkerState(name=name, versions=versions, deployments=deployments)


def deploy_versions(
    api: CloudflareApi, name: str, shares: Mapping[str, int], message: str, *, force: bool = False
) -> None:
    """Give versions their shares of the traffic: ``POST .../deployments``.

    If the response is lost, the function looks for the new deployment.

    :param api: Cloudflare's API.
    :param name: the name of the Worker.
    :param shares: share in percent by version id; the sum is 100.
    :param message: description of the deployment.
    :param force: whether Cloudflare may deploy a version whose secrets differ from the live
        version's.
    """
    path = api.build_script_path(name, "/deployments")
    body = {
        "strategy": "percentage",
        "versions": [{"version_id": key, "percentage": share} for key, share in shares.items()],
        "annotations": {"workers/message": message},
    }

    def list_same() -> list[Traffic]:
        found = api.find(path) or {}
        items = map(Traffic.from_item, found.get("deployments") or ())
        return [item for item in items if dict(item.shares) == dict(shares)]

    def create() -> Traffic:
        query = {"force": "true"} if force else None
        item = api.post(path, body, query=query)
        return Traffic.from_item({**body, **(item or {})})

    create_new(list_same, create, get_id=lambda item: item.id)


def parse_time(value: object) -> dt.datetime:
    """Parse a time; if it has no time zone, it is in UTC.

    :param value: the value as Cloudflare writes it.
    """
    time = dt.datetime.fromisoformat(str(value))
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def _get_time(item: WorkerVersion | Traffic) -> dt.datetime:
    return item.created
