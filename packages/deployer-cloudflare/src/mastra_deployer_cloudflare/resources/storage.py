"""Find or create KV namespaces, D1 databases, R2 buckets and queues; delete none."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mastra_core.errors import ApiError
from mastra_deployer.kit import get_or_create
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    from mastra_deployer_cloudflare.api import CloudflareApi

__all__ = ("StorageKind", "StorageResource", "create_storage", "find_storage", "list_wanted")

_PAGE = 1000  # items of a list with cursors
_PLAN_CODES = ("10042", "7500", "7501")  # the account has not enabled R2 or D1


@dataclasses.dataclass(frozen=True, kw_only=True)
class StorageKind:
    """One kind of resource, with Cloudflare's names of its fields.

    :param setting: name of the setting that lists the resources.
    :param label: name of the kind in messages.
    :param path: API path of the list of these resources, relative to the account.
    :param name: name of the field that has the resource's name.
    :param body: name of the field that has the resource's name in the request that creates it.
    :param id: name of the field that has the resource's id.
    :param binding: the ``type`` of a binding to such a resource, in Cloudflare's API.
    :param field: name of the binding's field that has the resource's id.
    :param items: name of the field that has the list, if its pages have cursors; empty if the
        result itself is the list.
    """

    setting: str
    label: str
    path: str
    name: str
    body: str
    id: str
    binding: str
    field: str
    items: str = ""


_KINDS = (
    StorageKind(
        setting="kv",
        label="KV namespace",
        path="/storage/kv/namespaces",
        name="title",
        body="title",
        id="id",
        binding="kv_namespace",
        field="namespace_id",
    ),
    StorageKind(
        setting="queues",
        label="queue",
        path="/queues",
        name="queue_name",
        body="queue_name",
        id="queue_name",
        binding="queue",
        field="queue_name",
    ),
    StorageKind(
        setting="r2",
        label="R2 bucket",
        path="/r2/buckets",
        name="name",
        body="name",
        id="name",
        binding="r2_bucket",
        field="bucket_name",
        items="buckets",
    ),
    StorageKind(
        setting="d1",
        label="D1 database",
        path="/d1/database",
        name="name",
        body="name",
        id="uuid",
        binding="d1",
        field="id",
    ),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StorageResource:
    """A resource that the settings name.

    :param kind: the kind of the resource.
    :param binding: name of the binding.
    :param name: the name of the resource.
    :param id: the id that the binding uses; empty while the resource does not exist.
    """

    kind: StorageKind
    binding: str
    name: str
    id: str = ""

    def to_binding(self) -> dict[str, str]:
        """Return the resource's entry in the ``bindings`` of an upload's metadata."""
        return {"type": self.kind.binding, "name": self.binding, self.kind.field: self.id}

    def __str__(self) -> str:
        return f"{self.kind.label} {self.name}"


def list_wanted(settings: CloudflareDeployer) -> list[StorageResource]:
    """Return the resources that the settings name, without their ids.

    :param settings: settings of the deployer.
    """
    return [
        StorageResource(kind=kind, binding=binding, name=name)
        for kind in _KINDS
        for binding, name in sorted(_get_names(settings, kind).items())
    ]


def find_storage(api: CloudflareApi, settings: CloudflareDeployer) -> list[StorageResource]:
    """Return the resources that the settings name; a missing one has an empty id.

    :param api: Cloudflare's API.
    :param settings: settings of the deployer.
    """
    known: dict[str, Mapping[str, str]] = {}
    found = []
    for resource in list_wanted(settings):
        if resource.kind.setting not in known:
            known[resource.kind.setting] = _list_ids(api, resource.kind)
        found_id = known[resource.kind.setting].get(resource.name, "")
        found.append(dataclasses.replace(resource, id=found_id))
    return found


def create_storage(
    api: CloudflareApi, resources: Sequence[StorageResource]
) -> Iterator[StorageResource]:
    """Yield the resources with their ids; a missing resource is created.

    :param api: Cloudflare's API.
    :param resources: the resources that ``find_storage`` returned.
    """
    for resource in resources:
        if resource.id:
            yield resource
        else:
            yield dataclasses.replace(resource, id=_create(api, resource))


def _create(api: CloudflareApi, resource: StorageResource) -> str:
    """Create a resource only once, even after a lost response."""
    kind = resource.kind

    def find() -> str:
        return _list_ids(api, kind).get(resource.name, "")

    def create() -> str:
        item = api.post(api.build_path(kind.path), {kind.body: resource.name}) or {}
        return str(item.get(kind.id) or resource.name)

    try:
        return get_or_create(find, create)
    except ApiError as error:
        if error.code not in _PLAN_CODES:
            raise
        raise ApiError(
            f"The {resource} cannot be created, because the product is not enabled for the "
            f"account. {error.message}",
            "Enable the product on dash.cloudflare.com. Then run the same command again.",
            status=error.status,
            code=error.code,
        ) from error


def _list_ids(api: CloudflareApi, kind: StorageKind) -> Mapping[str, str]:
    """Return the ids of all resources of a kind, by name."""
    path = api.build_path(kind.path)
    items = api.list_by_cursor(path, kind.items, _PAGE) if kind.items else api.list(path)
    return {str(item[kind.name]): str(item[kind.id]) for item in items}


def _get_names(settings: CloudflareDeployer, kind: StorageKind) -> Mapping[str, str]:
    names: Mapping[str, str] = getattr(settings, kind.setting)
    return names
