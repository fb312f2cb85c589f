"""Push the blobs that a repository does not have."""

from __future__ import annotations

from collections.abc import Sequence

from mastra_core.pipeline import Report, SilentReport
from mastra_deployer.kit import upload
from mastra_deployer_oci.api.repository import Repository
from mastra_deployer_oci.deploy.blob import Blob
from mastra_deployer_oci.deploy.blob_upload import BlobUpload, MethodInUse
from mastra_deployer_oci.deploy.push_progress import PushProgress
from mastra_deployer_oci.deploy.resumable_upload import UploadSession

__all__ = ("push_blobs",)

_CONCURRENCY = 5  # layers are few and large: more uploads would only share the bandwidth


def push_blobs(registry: Repository, blobs: Sequence[Blob], report: Report) -> int:
    """Push all blobs that the repository does not have.

    :param registry: repository to push to.
    :param blobs: the blobs.
    :param report: receives the number of bytes that the registry does not have yet.
    :returns: the number of bytes sent.
    :raises DeployError: when the registry rejects a blob, or cannot be reached.
    """
    missing_blobs = _find_missing_blobs(registry, blobs)
    if not missing_blobs:
        size = sum(blob.size for blob in blobs)
        report.step(f"The registry already has all layers ({size / 1e6:.1f} MB)")
        return 0
    progress = PushProgress(report, sum(blob.size for blob in missing_blobs))
    in_use = MethodInUse(registry.image.registry)

    def send(blob: Blob) -> int:
        return BlobUpload(registry, blob, progress, in_use).run()

    return sum(upload(missing_blobs, send, report=SilentReport(), concurrency=_CONCURRENCY))


def _find_missing_blobs(registry: Repository, blobs: Sequence[Blob]) -> list[Blob]:
    """Return the blobs that the repository does not have, without duplicates."""
    unique_blobs = list({blob.digest: blob for blob in blobs}.values())

    api_url = str(registry.client.base_url)

    def has_blob(blob: Blob) -> bool:
        exists = registry.has_blob(blob.digest)
        if exists:  # a deploy that was killed may have kept the address of the upload
            UploadSession.for_blob(api_url, registry.image, blob.digest).delete()
        return exists

    found = upload(unique_blobs, has_blob, report=SilentReport(), concurrency=_CONCURRENCY)
    return [blob for blob, exists in zip(unique_blobs, found, strict=True) if not exists]
