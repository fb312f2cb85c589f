"""Sends blobs: what is there already is not sent, what broke off goes on where it was."""

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
from mastra_core.pipeline import Report, Silent
from mastra_deployer_oci.api.repository import Repository
from mastra_deployer_oci.deploy.resumable_upload import UploadSession

__all__ = ("Blob", "push_blobs")

_CHUNK = 8 << 20  # more than what the large registries want at least, less than any limit
_ATTEMPTS = 5
_CONCURRENCY = 5  # layers are few and large: more would only share the same line
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")
_CREATED = 201
_GONE = (404, 416)  # the registry does not know the upload, or not as we do: begin again
_SERVER_ERROR = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blob:
    """Something to be sent: a file, or bytes.

    :param name: for people.
    :param file: brings the file, when it has to be sent; called again for every piece.
    :param mount: another repository of the same registry that has it; empty where none is known.
    """

    name: str
    digest: str
    size: int
    fetch_file: Callable[[], Path] | None = None
    content: bytes = b""
    mount: str = ""

    def read(self, offset: int, size: int) -> bytes:
        """A piece of it."""
        if self.fetch_file is None:
            return self.content[offset : offset + size]
        with self.fetch_file().open("rb") as file:
            file.seek(offset)
            return file.read(size)


def push_blobs(registry: Repository, blobs: Sequence[Blob], report: Report) -> int:
    """Have all of them in the repository; the bytes that were sent.

    :raises DeployError: where the registry does not keep one.
    """
    from mastra_deployer.kit import upload

    progress = _Progress(report, sum(blob.size for blob in blobs))

    def send(blob: Blob) -> int:
        return _Upload(registry, blob, progress).run()

    return sum(upload(blobs, send, report=Silent(), concurrency=_CONCURRENCY))


class _Progress:
    """Counts the bytes of all blobs together, as they go."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total, self._done = report, total, 0
        self._lock = threading.Lock()
        report.advance(0, total)

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._report.advance(self._done, self._total)


class _UploadInterrupted(Exception):
    """A piece may not have arrived: ask how far it got, and go on there."""

    def __init__(self, error: DeployError) -> None:
        super().__init__(error.message)
        self.error = error


class _Upload:
    """One blob on its way."""

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
        """Have it there; the bytes that were sent."""
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
        """From wherever it stands: what a lost answer said is asked for."""
        if self._registry.has_blob(self._blob.digest):
            return
        if not self._resume() and not self._start():
            return
        for piece in self._iter_pieces():
            self._send_piece(piece)
        self._finish()

    def _resume(self) -> bool:
        """Whether an upload is under way, and how far: ``GET <upload>``."""
        if self._location is None:
            return False
        response = self._client.get(self._location, extensions={"mastra_accept": _GONE})
        if response.status_code in _GONE:
            self._reset()
            return False
        self._read_state(response)
        return True

    def _start(self) -> bool:
        """``POST /v2/<name>/blobs/uploads/``; nothing to send where it took the other's blob."""
        query = {"mount": self._blob.digest, "from": self._blob.mount} if self._blob.mount else {}
        response = self._client.post(
            f"/v2/{self._registry.image.repository}/blobs/uploads/",
            params=query,
            # An upload that nobody finishes costs nothing, so this may be repeated.
            extensions={"mastra_idempotent": True},
        )
        if response.status_code == _CREATED:
            return False
        self._chunk = max(_CHUNK, int(response.headers.get("oci-chunk-min-length") or 0))
        self._read_state(response)
        return True

    def _iter_pieces(self) -> Iterator[bytes]:
        while self._offset < self._blob.size:
            yield self._blob.read(self._offset, self._chunk)

    def _send_piece(self, piece: bytes) -> None:
        """``PATCH <upload>`` with the next piece."""
        end = self._offset + len(piece)
        headers = {
            "content-type": "application/octet-stream",
            "content-range": f"{self._offset}-{end - 1}",
        }
        self._sent_size += len(piece)
        with _raise_interrupted():
            self._read_state(
                self._client.patch(self._get_location(), content=piece, headers=headers)
            )
        self._session.save_location(self._get_location())
        self._report_progress(self._offset)

    def _finish(self) -> None:
        """``PUT <upload>?digest=``.

        Where its answer was lost and it is repeated, there is no upload any more; the next attempt
        then finds the blob.
        """
        end = self._get_location().copy_merge_params({"digest": self._blob.digest})
        response = self._client.put(
            end, headers={"content-length": "0"}, extensions={"mastra_accept": (400, *_GONE)}
        )
        if response.is_error:
            self._reset()
            message = (
                f"{self._registry.image.registry} answered {response.status_code} to the last part"
            )
            raise _UploadInterrupted(ApiError(f"{message}.", status=response.status_code))

    def _read_state(self, response: httpx.Response) -> None:
        """The next address to send to, and how much is there."""
        self._location = response.url.join(response.headers["location"])
        match = _RANGE.fullmatch(response.headers.get("range", ""))
        # "0-0" is said of nothing and of one byte alike, and no piece has one byte.
        last = int(match[1]) if match else 0
        self._offset = last + 1 if last else 0

    def _get_location(self) -> httpx.URL:
        assert self._location is not None  # noqa: S101  # there are pieces only where there is a place
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
    """No answer, a sick server or an upload it forgot: another attempt may go well.

    What else a blob needs is repeated by the kit already, as it is safe to repeat.
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
    hint = "Nothing is live that was not before; run the same command again and it goes on."
    if error.status >= _SERVER_ERROR:
        hint = f"The disk of the registry may be full. {hint}"
    repository = registry.image.name
    size = f"{blob.size / 1e6:.1f} MB"
    text = f"{repository} did not keep the {blob.name} layer ({size}): {error.message}"
    return ApiError(text, hint, status=error.status)
