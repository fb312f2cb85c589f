"""Upload one blob; after an interruption, resume or repeat the upload.

The offset of the next chunk is the number of bytes that were sent. The offset in a registry's
response is not used, because registries report it in different ways. At the end, the registry
checks the digest of the whole blob.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Callable, Iterator
from typing import IO, cast

import httpx
import stamina

from mastra_core.errors import ApiError, DeployError, DeployTimeout
from mastra_deployer_oci.api.redirects import refuse_redirect
from mastra_deployer_oci.api.repository import Repository
from mastra_deployer_oci.deploy.blob import Blob
from mastra_deployer_oci.deploy.push_errors import build_push_error, is_connection_error
from mastra_deployer_oci.deploy.push_progress import PushProgress
from mastra_deployer_oci.deploy.resumable_upload import UploadSession
from mastra_deployer_oci.deploy.upload_method import (
    UploadMethod,
    choose_first_method,
    choose_next_method,
    is_refusal,
)

__all__ = ("BlobUpload", "MethodInUse")

_ATTEMPTS = 5
_MAX_CHUNK = 256 << 20  # bytes; a chunk is held in memory
_MAX_SECONDS = 3600.0  # for a blob in one request
_RANGE = re.compile(r"(?:bytes[= ])?0-(\d+)")
_CREATED = 201
_EXPIRED = (404, 409)  # the registry no longer knows the upload: start again
_NO_STATE = (400, 405, 416, 501, *_EXPIRED)  # the registry does not tell the offset of an upload
_END_REFUSED = (400, 416, *_EXPIRED)
_MOUNT_REFUSED = (400, 401, 403, 404, 405, 501)
_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501
_BINARY = {"content-type": "application/octet-stream"}


class MethodInUse:
    """The last upload method that worked; all uploads of a push share it.

    :param registry: host of the registry.
    """

    def __init__(self, registry: str) -> None:
        self._method = choose_first_method(registry)
        self._lock = threading.Lock()

    def get(self) -> UploadMethod:
        """Return the method for the start of the next upload."""
        with self._lock:
            return self._method

    def set(self, method: UploadMethod) -> None:
        """Remember a method that worked.

        :param method: the method.
        """
        with self._lock:
            self._method = method


class _UploadInterrupted(Exception):
    """A part of the blob may be missing, so the upload must be resumed or repeated."""

    def __init__(self, error: DeployError) -> None:
        super().__init__(error.message)
        self.error = error


class _MethodRefused(Exception):
    """The registry does not accept the method by which the blob was sent."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error


class BlobUpload:
    """The upload of one blob.

    :param registry: repository to push to.
    :param blob: the blob, which the repository lacks.
    :param progress: receives the number of pushed bytes.
    :param in_use: the method that worked last.
    """

    def __init__(
        self, registry: Repository, blob: Blob, progress: PushProgress, in_use: MethodInUse
    ) -> None:
        self._registry, self._blob, self._progress = registry, blob, progress
        self._in_use = in_use
        self._client = registry.client
        self._session = UploadSession.for_blob(
            str(self._client.base_url), registry.image, blob.digest
        )
        self._location = self._session.load_location()
        self._method = in_use.get()
        self._offset = self._chunk = self._reported_size = self._sent_size = 0
        self._is_first_attempt = True
        self._is_resumed = False
        self._has_exact_ranges = True

    def run(self) -> int:
        """Push the blob, and return the number of bytes sent.

        :raises DeployError: when the registry rejects the blob, or cannot be reached.
        """
        try:
            self._try_methods()
        except ApiError as error:
            raise build_push_error(self._blob, self._registry, self._location, error) from error
        except _UploadInterrupted as broken:
            cause = broken.error
            raise build_push_error(self._blob, self._registry, self._location, cause) from cause
        self._in_use.set(self._method)
        self._session.delete()
        return self._sent_size

    def _try_methods(self) -> None:
        """Try one upload method after another, until the registry accepts one."""
        tried_methods: set[UploadMethod] = set()
        while True:
            tried_methods.add(self._method)
            try:
                return self._upload_with_retries()
            except _MethodRefused as refused:
                method = choose_next_method(self._method, self._blob.size, refused.error)
                if method is None or method in tried_methods:
                    raise refused.error from None
                self._method = method
                self._reset()

    def _upload_with_retries(self) -> None:
        for attempt in stamina.retry_context(
            on=_UploadInterrupted, attempts=_ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=5
        ):
            with attempt:
                self._try_upload()

    def _try_upload(self) -> None:
        """Try the upload once; begin at the offset that the registry reports, if it reports one."""
        is_first, self._is_first_attempt = self._is_first_attempt, False
        if not is_first and self._registry.has_blob(self._blob.digest):
            return self._report_progress(self._blob.size)
        if self._method.is_whole(self._blob.size):
            is_ready = (not is_first and self._is_empty()) or self._start()
            return self._send_whole() if is_ready else None
        if not self._resume() and not self._start():
            return None
        while self._offset < self._blob.size:
            self._send_chunk(self._blob.read(self._offset, self._chunk or self._method.chunk_size))
        return self._finish()

    def _start(self) -> bool:
        """Start an upload: ``POST /v2/<name>/blobs/uploads/``.

        Return ``False`` if the registry mounted the blob, because then there is nothing to send.
        """
        self._reset()
        response = self._request_mount() or self._request_upload()
        if response.status_code == _CREATED and self._blob.mount:
            self._progress.exclude(self._blob.size - self._reported_size)
            return False
        self._chunk = _read_chunk_size(response, self._method.chunk_size)
        self._location = response.url.join(response.headers["location"])
        return True

    def _request_mount(self) -> httpx.Response | None:
        """Ask the registry to mount the blob; after a refusal, the blob is uploaded."""
        if not self._blob.mount:
            return None
        query = {"mount": self._blob.digest, "from": self._blob.mount}
        response = self._request_upload(query, accept=_MOUNT_REFUSED)
        return None if response.is_error else response

    def _request_upload(
        self, query: dict[str, str] | None = None, accept: tuple[int, ...] = ()
    ) -> httpx.Response:
        response = self._client.post(
            f"/v2/{self._registry.image.repository}/blobs/uploads/",
            params=query or {},
            # An abandoned upload has no effect, so the request is safe to repeat.
            extensions={"mastra_idempotent": True, "mastra_accept": accept},
        )
        return refuse_redirect(response, self._registry.image.registry)

    def _is_empty(self) -> bool:
        """Return whether the registry has an upload without any bytes: ``GET <upload>``."""
        if self._location is None or not self._has_exact_ranges:
            return False
        response = self._client.get(self._location, extensions={"mastra_accept": _NO_STATE})
        if response.is_error or response.headers.get("range") != "0-0":
            return False
        self._update_location(response)
        self._is_resumed = True
        return True

    def _resume(self) -> bool:
        """Ask the registry for the offset of an unfinished upload: ``GET <upload>``.

        Return whether the upload can be continued.
        """
        if self._location is None or not self._has_exact_ranges:
            return False
        response = self._client.get(self._location, extensions={"mastra_accept": _NO_STATE})
        offset = 0 if response.is_error else _read_offset(response)
        if not 0 < offset <= self._blob.size:
            return False
        self._update_location(response)
        self._offset = offset
        self._is_resumed = True
        return True

    def _send_chunk(self, chunk: bytes) -> None:
        """Send the next chunk: ``PATCH <upload>``."""
        end = self._offset + len(chunk)
        headers = {**_BINARY, "content-range": f"{self._offset}-{end - 1}"}
        self._sent_size += len(chunk)
        with self._classify_errors():
            response = self._client.patch(self._get_location(), content=chunk, headers=headers)
            refuse_redirect(response, self._registry.image.registry)
        self._update_location(response)
        self._offset = end
        self._has_exact_ranges = self._has_exact_ranges and _read_offset(response) == end
        if self._has_exact_ranges:
            self._session.save_location(self._get_location())
        else:
            self._session.delete()
        self._report_progress(end)

    def _send_whole(self) -> None:
        """Send the blob in one request: ``PUT <upload>?digest=``."""
        headers = {**_BINARY, "content-length": str(self._blob.size)}
        # A second request would append to what the registry has of the first one.
        limits = {"mastra_idempotent": False, "mastra_max_seconds": _MAX_SECONDS}
        self._sent_size += self._blob.size
        with self._blob.open() as file, self._classify_errors():
            content = _MeasuredFile(file, self._report_progress)
            response = self._client.put(
                self._build_end_url(), content=content, headers=headers, extensions=limits
            )
            refuse_redirect(response, self._registry.image.registry)

    def _finish(self) -> None:
        """Complete a chunked upload: ``PUT <upload>?digest=``.

        If the response is lost, the repeated request gets a 404, and the next attempt finds the
        complete blob.
        """
        response = self._client.put(
            self._build_end_url(),
            headers={"content-length": "0"},
            extensions={"mastra_accept": _END_REFUSED},
        )
        refuse_redirect(response, self._registry.image.registry)
        if response.is_error:
            host, status = self._registry.image.registry, response.status_code
            message = f"{host} responded to the end of an upload with status {status}."
            self._raise_classified(ApiError(message, status=status))

    @contextlib.contextmanager
    def _classify_errors(self) -> Iterator[None]:
        """Convert an error to ``_UploadInterrupted`` or ``_MethodRefused`` if a retry may help.

        Requests that are safe to repeat do not need this, because the kit's client retries them.
        """
        try:
            yield
        except DeployTimeout as error:
            raise _UploadInterrupted(error) from error
        except ApiError as error:
            self._raise_classified(error)

    def _raise_classified(self, error: ApiError) -> None:
        status = error.status or 0
        is_server_error = status >= _SERVER_ERROR and status != _NOT_IMPLEMENTED
        if is_server_error or is_connection_error(error):
            raise _UploadInterrupted(error) from error
        # A resumed upload that fails began at a wrong offset; nothing is known of the method.
        if status in _EXPIRED or (self._is_resumed and is_refusal(error)):
            self._has_exact_ranges = self._has_exact_ranges and not self._is_resumed
            self._reset()
            raise _UploadInterrupted(error) from error
        if is_refusal(error):
            raise _MethodRefused(error) from error
        raise error

    def _update_location(self, response: httpx.Response) -> None:
        """Read the address for the next request; without a new one, keep the last address."""
        if "location" in response.headers:
            self._location = response.url.join(response.headers["location"])

    def _get_location(self) -> httpx.URL:
        assert self._location is not None  # noqa: S101  # parts are sent only after an upload was started
        return self._location

    def _build_end_url(self) -> httpx.URL:
        """Add the digest to the address, and keep the rest of its query unchanged."""
        url = self._get_location()
        digest = f"digest={self._blob.digest.replace(':', '%3A')}".encode()
        return url.copy_with(query=url.query + b"&" + digest if url.query else digest)

    def _reset(self) -> None:
        """Forget the unfinished upload."""
        self._location = None
        self._offset = 0
        self._is_resumed = False
        self._session.delete()

    def _report_progress(self, size: int) -> None:
        if size > self._reported_size:
            self._progress.add(size - self._reported_size)
            self._reported_size = size


class _MeasuredFile(io.BufferedReader):
    """A file that reports the number of bytes read."""

    def __init__(self, file: IO[bytes], report_progress: Callable[[int], None]) -> None:
        super().__init__(cast("io.RawIOBase", file))
        self._report_progress = report_progress

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self._report_progress(self.tell())
        return content


def _read_offset(response: httpx.Response) -> int:
    """Return the number of bytes in the registry's report; 0 if there is none."""
    match = _RANGE.fullmatch(response.headers.get("range", ""))
    # "0-0" means either no byte or one byte; chunks always have more than one.
    last = int(match[1]) if match else 0
    return last + 1 if last else 0


def _read_chunk_size(response: httpx.Response, chunk_size: int) -> int:
    """Return the chunk size, within the limits of the registry."""
    smallest = int(response.headers.get("oci-chunk-min-length") or 0)
    largest = int(response.headers.get("oci-chunk-max-length") or 0)
    limit = min(largest, _MAX_CHUNK) if largest > 0 else _MAX_CHUNK
    return min(max(chunk_size, smallest), limit)
