"""The multipart form of an upload: metadata and modules, as wrangler sends them."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mastra_core.errors import BundleError
from mastra_core.pipeline import Bundle, DeployRequest
from mastra_core.secret import Secret
from mastra_deployer.kit import DeploymentTags
from mastra_deployer_cloudflare.api import Part
from mastra_deployer_cloudflare.bundle.worker_modules import (
    WorkerConfig,
    WorkerModule,
    iter_modules,
    read_worker_config,
)
from mastra_deployer_cloudflare.deploy.preview_alias import build_alias
from mastra_deployer_cloudflare.resources.storage import StorageResource
from mastra_deployer_cloudflare.settings import CloudflareDeployer

__all__ = ("WorkerUpload", "build_upload", "require_handlers")

_MESSAGE = 1000  # bytes; Cloudflare cuts a longer message
_KEPT = ("secret_text", "secret_key")


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkerUpload:
    """The content of one upload of a Worker.

    :param modules: the files.
    :param metadata: the upload's metadata, without annotations and the secrets of the live version.
    :param tag: hash of modules, settings, values and stage, with the API token as the key.
    :param message: the description of the version, which contains the tags of the deploy.
    :param stage: ``preview`` or ``production``.
    :param alias: the alias of the preview; empty without an alias.
    """

    modules: Sequence[WorkerModule]
    metadata: Mapping[str, Any] = dataclasses.field(repr=False)
    tag: str
    message: str
    stage: str
    alias: str

    @property
    def size(self) -> int:
        """Bytes of all modules."""
        return sum(module.path.stat().st_size for module in self.modules)

    @property
    def names(self) -> frozenset[str]:
        """Names of all bindings."""
        return frozenset(str(item["name"]) for item in self.metadata["bindings"])

    def build_metadata(
        self, live_secrets: Iterable[tuple[str, str]] | None = None
    ) -> dict[str, Any]:
        """Return the metadata for the upload request.

        :param live_secrets: name and version of each secret to take over; ``None`` for the first
            upload of a Worker. With ``None``, the Worker keeps the secrets that it has, if any.
        """
        alias = {"workers/alias": self.alias} if self.alias and live_secrets is not None else {}
        annotations = {"workers/message": self.message, "workers/tag": self.tag, **alias}
        if live_secrets is None:
            return {**self.metadata, "keep_bindings": list(_KEPT), "annotations": annotations}
        secrets = [
            {"name": name, "type": "inherit", "version_id": version}
            for name, version in live_secrets
        ]
        bindings = [*secrets, *self.metadata["bindings"]]
        return {**self.metadata, "bindings": bindings, "annotations": annotations}

    def build_parts(self, metadata: Mapping[str, Any]) -> list[Part]:
        """Return the parts of the form; the name of a module is also its file name.

        :param metadata: the metadata that ``build_metadata`` returned.
        """
        parts: list[Part] = [("metadata", (None, json.dumps(metadata).encode()))]
        parts += (
            (module.name, (module.name, module.path.read_bytes(), module.type))
            for module in self.modules
        )
        return parts


def build_upload(
    bundle: Bundle,
    settings: CloudflareDeployer,
    request: DeployRequest,
    storage: Iterable[StorageResource],
    token: Secret,
) -> WorkerUpload:
    """Read the modules of a bundle, and build their metadata.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :param request: options of the deploy.
    :param storage: the resources that the settings name, with their ids.
    :param token: the API token, which is the key of the hash in ``tag``.
    :raises BundleError: when the bundle is not complete.
    """
    config = read_worker_config(bundle.directory)
    metadata = _build_metadata(config, settings, request.env, storage)
    is_preview = request.environment == "preview"
    alias = build_alias(request.branch, settings.project_name) if is_preview else ""
    facts = json.dumps([metadata, bundle.manifest.digest, request.environment, alias])
    tags = dataclasses.replace(DeploymentTags.from_request(request), stage=request.environment)
    return WorkerUpload(
        modules=tuple(iter_modules(bundle.directory, config)),
        metadata=metadata,
        tag=hmac.new(token.reveal().encode(), facts.encode(), hashlib.sha256).hexdigest(),
        message=tags.to_text(_MESSAGE),
        stage=request.environment,
        alias=alias,
    )


def require_handlers(bundle: Bundle, settings: CloudflareDeployer) -> None:
    """Raise an error if the settings have crons but the bundle has no handler for crons.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :raises BundleError: when the bundle has no handler for crons, or is not complete.
    """
    config = read_worker_config(bundle.directory)
    if settings.crons and "scheduled" not in config.handlers:
        raise BundleError(
            "The settings contain crons, but the bundle was made without crons.",
            "Bundle again with the same settings: mastra bundle cloudflare.",
        )


def _build_metadata(
    config: WorkerConfig,
    settings: CloudflareDeployer,
    env: Mapping[str, Secret],
    storage: Iterable[StorageResource],
) -> dict[str, Any]:
    placement = {"placement": {"mode": settings.placement}} if settings.placement else {}
    limits = {"limits": {"cpu_ms": settings.cpu_ms}} if settings.cpu_ms else {}
    return {
        "main_module": config.main,
        "bindings": list(_iter_bindings(settings, env, storage)),
        "compatibility_date": config.compatibility_date,
        "compatibility_flags": list(config.compatibility_flags),
        **placement,
        **limits,
        "observability": {"enabled": True},
    }


def _iter_bindings(
    settings: CloudflareDeployer, env: Mapping[str, Secret], storage: Iterable[StorageResource]
) -> Iterable[dict[str, Any]]:
    for name, text in sorted(settings.vars.items()):
        if name not in env:
            yield {"name": name, "type": "plain_text", "text": text}
    for name, value in sorted(env.items()):
        yield {"name": name, "type": "secret_text", "text": value.reveal()}
    for resource in storage:
        yield resource.to_binding()
    for name, target in sorted(settings.services.items()):
        service, _, entrypoint = target.partition("#")
        entry = {"entrypoint": entrypoint} if entrypoint else {}
        yield {"name": name, "type": "service", "service": service, **entry}
    if settings.ai:
        yield {"name": settings.ai, "type": "ai"}
