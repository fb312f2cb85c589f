"""Uploads: a Worker, or a version of it."""

from __future__ import annotations

import re
from typing import Any

from tests.cloudflare.fake.multipart import FormError, UploadForm, parse_form
from tests.cloudflare.fake.routes.versions import describe_version
from tests.cloudflare.fake.routing import ApiError, Request, route
from tests.cloudflare.fake.state import Version, Worker, compute_etag

_FIELDS = {
    "plain_text": {"text"},
    "secret_text": {"text"},
    "kv_namespace": {"namespace_id"},
    "d1": {"id"},
    "r2_bucket": {"bucket_name"},
    "queue": {"queue_name"},
    "service": {"service"},
    "ai": set(),
}
_METADATA = set(
    "main_module bindings keep_bindings compatibility_date compatibility_flags placement limits "
    "observability annotations".split()
)
_TAG, _MESSAGE = 100, 1000  # bytes
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@route("PUT", "/accounts/{account}/workers/scripts/{name}")
def put_script(request: Request) -> Any:
    form, name = _read_form(request), request["name"]
    if not _NAME.fullmatch(name):
        raise ApiError(400, 10016, f"The script name {name!r} is invalid.")
    platform = request.platform
    worker = platform.workers.get(name) or Worker(name=name)
    version = _create_version(request, worker, form)
    platform.workers[name] = worker
    platform.deploy(worker, {version.id: 100}, {"workers/message": ""})
    worker.settings |= {"observability": form.metadata.get("observability")}
    return {
        "id": name,
        "etag": compute_etag(version.modules),
        "deployment_id": version.id.replace("-", ""),
        "startup_time_ms": 12,
        "has_modules": True,
    }


@route("POST", "/accounts/{account}/workers/scripts/{name}/versions")
def create_version(request: Request) -> Any:
    worker, form = request.worker, _read_form(request)
    return describe_version(_create_version(request, worker, form))


def _read_form(request: Request) -> UploadForm:
    try:
        form = parse_form(request.content, request.headers.get("content-type", ""))
    except FormError as error:
        raise ApiError(400, 10021, f"Uncaught form error: {error}") from None
    if request.get_query("bindings_inherit") != "strict":
        raise ApiError(400, 10001, "the upload does not inherit strictly")
    _check_metadata(form)
    _check_modules(request, form)
    return form


def _check_metadata(form: UploadForm) -> None:
    metadata, annotations = form.metadata, form.metadata.get("annotations") or {}
    if unknown := set(metadata) - _METADATA:
        raise ApiError(400, 10021, f"unknown fields of the metadata: {sorted(unknown)}")
    if metadata["main_module"] not in form.modules:
        raise ApiError(400, 10021, f"No such module {metadata['main_module']!r}.")
    if "python_workers" not in metadata["compatibility_flags"]:
        raise ApiError(400, 10021, "Python needs the flag python_workers.")
    if len(annotations.get("workers/tag", "").encode()) > _TAG:
        raise ApiError(400, 10001, "The tag has more than 100 bytes.")
    if len(annotations.get("workers/message", "").encode()) > _MESSAGE:
        raise ApiError(400, 10001, "The message has more than 1000 bytes.")
    alias = annotations.get("workers/alias")
    if alias is not None and not re.fullmatch(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", alias):
        raise ApiError(400, 10001, f"The alias {alias!r} is invalid.")


def _check_modules(request: Request, form: UploadForm) -> None:
    platform = request.platform
    for name in form.modules:
        if name.startswith("/") or ".." in name.split("/"):
            raise ApiError(400, 10021, f"The name of the module {name!r} is invalid.")
    if platform.upload_error:
        raise ApiError(*platform.upload_error)
    if sum(len(item.content) for item in form.modules.values()) > platform.max_size:
        raise ApiError(413, 10027, "Your Worker exceeded the size limit of 64 MiB.")
    if platform.start_error:
        raise ApiError(400, 10021, platform.start_error)


def _create_version(request: Request, worker: Worker, form: UploadForm) -> Version:
    alias = (form.metadata.get("annotations") or {}).get("workers/alias", "")
    if alias and len(f"{alias}-{worker.name}") > 63:
        raise ApiError(400, 10001, f"The alias {alias!r} is too long.")
    bindings = _resolve_bindings(request, worker, form.metadata)
    for item in worker.versions:  # an alias leads to its newest version
        if alias and item.annotations.get("workers/alias") == alias:
            del item.annotations["workers/alias"]
    return request.platform.add_version(worker, form.metadata, form.modules, bindings)


def _resolve_bindings(
    request: Request, worker: Worker, metadata: dict[str, Any]
) -> list[dict[str, Any]]:
    latest = worker.versions[-1] if worker.versions else None
    bindings: dict[str, dict[str, Any]] = {}
    for item in metadata["bindings"]:
        if item["name"] in bindings:
            raise ApiError(400, 10021, f"The binding {item['name']!r} is there twice.")
        if item["type"] == "inherit":
            source = worker.find(item["version_id"]) if "version_id" in item else latest
            found = [each for each in (source.bindings if source else ()) if _is(each, item)]
            if not found or item["name"] in request.platform.dropped_secrets:
                raise ApiError(400, 10057, f"The binding {item['name']!r} cannot be inherited.")
            bindings[item["name"]] = found[0]
        else:
            _check_binding(request, item)
            bindings[item["name"]] = item
    for item in latest.bindings if latest else ():
        if item["type"] in metadata.get("keep_bindings", ()):
            bindings.setdefault(item["name"], item)
    return list(bindings.values())


def _is(binding: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return binding["name"] == wanted["name"]


def _check_binding(request: Request, item: dict[str, Any]) -> None:
    kind = item["type"]
    if set(item) - {"name", "type", "entrypoint"} != _FIELDS.get(kind):
        raise ApiError(400, 10021, f"The binding {item['name']!r} of type {kind!r} is invalid.")
    storage, workers = request.platform.storage, request.platform.workers
    if kind == "kv_namespace" and item["namespace_id"] not in storage["kv"].values():
        raise ApiError(400, 10041, f"KV namespace {item['namespace_id']!r} not found.")
    if kind == "d1" and item["id"] not in storage["d1"].values():
        raise ApiError(
            400, 10021, f"binding {item['name']} of type d1 must have a valid `id` specified"
        )
    if kind == "r2_bucket" and item["bucket_name"] not in storage["r2"]:
        raise ApiError(400, 10085, f"R2 bucket {item['bucket_name']!r} not found.")
    if kind == "queue" and item["queue_name"] not in storage["queues"]:
        raise ApiError(400, 11000, f"Queue {item['queue_name']!r} does not exist.")
    if kind == "service" and item["service"] not in workers:
        raise ApiError(400, 10090, f"Service {item['service']!r} was not found.")
