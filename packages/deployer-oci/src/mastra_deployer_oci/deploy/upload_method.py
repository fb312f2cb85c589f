"""Choose whether a blob is sent in one request or in chunks, and the size of the chunks.

Registries accept different methods. If a registry refuses a method, mastra tries another one.
"""

from __future__ import annotations

import dataclasses
import enum

from mastra_core.errors import ApiError

__all__ = ("UploadMethod", "Whole", "choose_first_method", "choose_next_method", "is_refusal")

_CHUNK = 8 << 20  # bytes; above the minimum of the large registries, below the limits of most
_MIN_CHUNK = 1 << 19  # bytes; no known limit of a request is smaller
# 404 and 409 concern one upload; all other client errors concern the way in which it is sent.
_REFUSALS = (400, 405, 411, 413, 415, 416, 422, 501)
_TOO_LARGE = 413
# Google's documentation asks for whole blobs. GitHub accepts chunks up to 4 MiB only.
_WHOLE_HOSTS = ("ghcr.io", "gcr.io", "pkg.dev")


class Whole(enum.Enum):
    """The rule that says which blobs are sent in one request."""

    ALL = "all"
    SMALL = "small"
    NONE = "none"


@dataclasses.dataclass(frozen=True, kw_only=True)
class UploadMethod:
    """A way to send blobs.

    :param chunk_size: size of a chunk in bytes.
    :param whole: which blobs are sent in one request. Blobs count as small if they are not larger
        than a chunk.
    """

    chunk_size: int = _CHUNK
    whole: Whole = Whole.SMALL

    def is_whole(self, size: int) -> bool:
        """Return whether a blob is sent in one request.

        :param size: bytes of the blob.
        """
        return self.whole is Whole.ALL or (self.whole is Whole.SMALL and size <= self.chunk_size)


def choose_first_method(registry: str) -> UploadMethod:
    """Return the first upload method to try for a registry.

    :param registry: host of the registry.
    """
    host = registry.partition(":")[0]
    is_listed = any(host == name or host.endswith(f".{name}") for name in _WHOLE_HOSTS)
    return UploadMethod(whole=Whole.ALL if is_listed else Whole.SMALL)


def is_refusal(error: ApiError) -> bool:
    """Return whether a registry refuses the method by which a blob was sent.

    :param error: the error with which the registry responded to a part of the upload.
    """
    return error.status in _REFUSALS


def choose_next_method(method: UploadMethod, size: int, error: ApiError) -> UploadMethod | None:
    """Return the method to try after a refusal, or ``None`` if there is none.

    :param method: the refused method.
    :param size: bytes of the blob.
    :param error: the error with which the registry responded.
    """
    if _is_too_large(error):
        return _reduce_chunk(method, size)
    if not method.is_whole(size):
        return dataclasses.replace(method, whole=Whole.ALL)
    return dataclasses.replace(method, whole=Whole.NONE)


def _is_too_large(error: ApiError) -> bool:
    """Return whether the registry refuses the size of a request, as GitHub does with a 416."""
    return error.status == _TOO_LARGE or "too large" in error.message.lower()


def _reduce_chunk(method: UploadMethod, size: int) -> UploadMethod | None:
    """Return the method with the largest chunk size below the refused size."""
    refused_size = size if method.is_whole(size) else method.chunk_size
    chunk_size = method.chunk_size // 2
    while chunk_size >= refused_size:
        chunk_size //= 2
    if chunk_size < _MIN_CHUNK:
        return None
    whole = Whole.NONE if method.whole is Whole.NONE else Whole.SMALL
    return UploadMethod(chunk_size=chunk_size, whole=whole)
