"""Push blobs: skip those that exist, and resume interrupted uploads."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import stamina

from mastra_core.errors import ApiError, DeployError, DeployTimeout
from mastra_core.pipeline import Report, SilentReport
from mastra_deployer_oci.api.repository import Repository
from mastra_deployer_oci.deploy.resumable_upload import UploadSession

__all__ = ("Blob", "push_blobs")

_CHUNK = 8 << 20  # above the minimum of the large registries, below every known limit
_MAX_CHUNK = 256 << 20  # bytes; a chunk is held in memory
_ATTEMPTS = 5
_CONCURRENCY = 5  # layers are few and large: more uploads would only share the bandwidth
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")
_CREATED = 201
_GONE = (404, 416)  # the upload or its offset is unknown to the registry: start again
_SERVER_ERROR = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blob:
    """A blob to push, from a file or from memory.

    :param name: name of the blob, for messages.
    :param digest: digest of the blob.
    :param size: size in bytes.
    :param fetch_file: returns the file, downloading it where necessary; called for each chunk.
    :param content: content of the blob, where there is no ``fetch_file``.
    :param mount: another repository of the registry that has the blob; empty for none.
    """

    name: str
    digest: str
    size: int
    fetch_file: Callable[[], Path] | None = None
    content: bytes = b""
    mount: str = ""

    def read(self, offset: int, size: int) -> bytes:
        """Read a part of the blob.

        :param offset: offset of the first byte.
        :param size: number of bytes to read at most.
        :returns: the bytes.
        """
        if self.fetch_file is None:
            return self.content[offset : offset + size]
        with self.fetch_file().open("rb") as file:
            file.seek(offset)
            return file.read(size)


def push_blobs(registry: Repository, blobs: Sequence[Blob], report: Report) -> int:
    """Push all blobs that the repository lacks.

    :param registry: repository to push to.
    :param blobs: the blobs.
    :param report: receives the number of bytes.
    :returns: the number of bytes sent.
    :raises DeployError: when the registry rejects a blob, or cannot be reached.
    """
    from mastra_deployer.kit import upload

    progress = _Progress(report, sum(blob.size for blob in blobs))

    def send(blob: Blob) -> int:
        return _Upload(registry, blob, progress).run()

    return sum(upload(blobs, send, report=SilentReport(), concurrency=_CONCURRENCY))


class _Progress:
    """Counts the pushed bytes of all blobs together."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total, self._done = report, total, 0
        self._lock = threading.Lock()
        report.advance(0, total)

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._report.advance(self._done, self._total)


class _UploadInterrupted(Exception):
    """A chunk may not have arrived; the upload is resumed at the registry's offset."""

    def __init__(self, error: DeployError) -> None:
        super().__init__(error.message)
        self.error = error


class _Upload:
    """The upload of one blob."""

    def __init__(self, registry: Repository, blob: Blob, progress: _Progress) -> None:
        self._registry, self._blob, self._progress = registry, blob, progress
        self._client = registry.client
        self._session = UploadSession.for_blob(
            str(self._client.base_url), registry.image, blob.digest
        )
        self._location = self._session.load_location()
        self._offset = self._reported_size = self._sent_size = 0
        self._chunk = _CHUNK

    def run(self) -> int:
        """Push the blob and return the number of bytes sent."""
        try:
            for attempt in stamina.retry_context(
                on=_UploadInterrupted,
                attempts=_ATTEMPTS,
                timeout=None,
                wait_initial=0.2,
                wait_max=5,
            ):
                with attempt:
                    self._try_upload()
        except _UploadInterrupted as broken:
            raise _build_push_error(self._blob, self._registry, broken.error) from broken.error
        except ApiError as error:
            raise _build_push_error(self._blob, self._registry, error) from error
        self._session.delete()
        self._report_progress(self._blob.size)
        return self._sent_size

    def _try_upload(self) -> None:
        """Upload from the registry's current offset; a blob that exists already is not sent."""
        if self._registry.has_blob(self._blob.digest):
            return
        if not self._resume() and not self._start():
            return
        for chunk in self._iter_chunks():
            self._send_chunk(chunk)
        self._finish()

    def _resume(self) -> bool:
        """Ask an unfinished upload for its offset: ``GET <upload>``.

        Return whether there is such an upload.
        """
        if self._location is None:
            return False
        response = self._client.get(self._location, extensions={"mastra_accept": _GONE})
        if response.status_code in _GONE:
            self._reset()
            return False
        self._read_state(response)
        return True

    def _start(self) -> bool:
        """Start an upload: ``POST /v2/<name>/blobs/uploads/``.

        Return ``False`` if the registry mounted the blob, so that nothing is left to send.
        """
        query = {"mount": self._blob.digest, "from": self._blob.mount} if self._blob.mount else {}
        response = self._client.post(
            f"/v2/{self._registry.image.repository}/blobs/uploads/",
            params=query,
            # An abandoned upload has no effect, so the request is safe to repeat.
            extensions={"mastra_idempotent": True},
        )
        if response.status_code == _CREATED:
            return False
        smallest = int(response.headers.get("oci-chunk-min-length") or 0)
        self._chunk = min(max(_CHUNK, smallest), _MAX_CHUNK)
        self._read_state(response)
        return True

    def _iter_chunks(self) -> Iterator[bytes]:
        while self._offset < self._blob.size:
            yield self._blob.read(self._offset, self._chunk)

    def _send_chunk(self, chunk: bytes) -> None:
        """Send the next chunk: ``PATCH <upload>``."""
        start, end = self._offset, self._offset + len(chunk)
        headers = {
            "content-type": "application/octet-stream",
            "content-range": f"{start}-{end - 1}",
        }
        self._sent_size += len(chunk)
        with _raise_interrupted():
            self._read_state(
                self._client.patch(self._get_location(), content=chunk, headers=headers)
            )
        if self._offset <= start:  # the same chunk would be sent for ever
            self._reset()
            host = self._registry.image.registry
            raise _UploadInterrupted(ApiError(f"{host} did not store a chunk that it accepted."))
        self._session.save_location(self._get_location())
        self._report_progress(self._offset)

    def _finish(self) -> None:
        """Complete the upload: ``PUT <upload>?digest=``.

        If the response was lost, a repeated request finds no upload, and the next attempt finds
        the blob.
        """
        end = self._get_location().copy_merge_params({"digest": self._blob.digest})
        response = self._client.put(
            end, headers={"content-length": "0"}, extensions={"mastra_accept": (400, *_GONE)}
        )
        if response.is_error:
            self._reset()
            host, status = self._registry.image.registry, response.status_code
            message = f"{host} answered the end of an upload with status {status}."
            raise _UploadInterrupted(ApiError(message, status=status))

    def _read_state(self, response: httpx.Response) -> None:
        """Read the address of the next request and the current offset."""
        self._location = response.url.join(response.headers["location"])
        match = _RANGE.fullmatch(response.headers.get("range", ""))
        # "0-0" means either no byte or one byte; chunks always have more than one.
        last = int(match[1]) if match else 0
        self._offset = last + 1 if last else 0

    def _get_location(self) -> httpx.URL:
        assert self._location is not None  # noqa: S101  # chunks are sent only after an upload was started
        return self._location

    def _reset(self) -> None:
        self._location = None
        self._offset = 0
        self._session.delete()

    def _report_progress(self, done: int) -> None:
        if done > self._reported_size:
            self._progress.add(done - self._reported_size)
            self._reported_size = done


@contextlib.contextmanager
def _raise_interrupted() -> Iterator[None]:
    """Turn timeouts, server errors and forgotten uploads into ``_UploadInterrupted``.

    All other requests of an upload are safe to repeat, and the kit's client retries them.
    """
    try:
        yield
    except DeployTimeout as error:
        raise _UploadInterrupted(error) from error
    except ApiError as error:
        if error.status is None or error.status >= _SERVER_ERROR or error.status in _GONE:
            raise _UploadInterrupted(error) from error
        raise


def _build_push_error(blob: Blob, registry: Repository, error: DeployError) -> DeployError:
    if not isinstance(error, ApiError) or error.status is None:
        return error
    hint = "Nothing changed in production; run the same command again to resume."
    if error.status >= _SERVER_ERROR:
        hint = f"The registry's disk may be full. {hint}"
    repository = registry.image.name
    text = (
        f"{repository} rejected the {blob.name} layer ({blob.size / 1e6:.1f} MB): {error.message}"
    )
    return ApiError(text, hint, status=error.status)
