"""Remember unfinished uploads, so that the next run can resume them."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from pathlib import Path

import httpx

from mastra_deployer.kit import get_cache_directory, replace_file
from mastra_deployer_oci.api.reference import Reference

__all__ = ("UploadSession",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UploadSession:
    """The stored address of one blob's unfinished upload.

    If the cache directory is not writable, nothing is stored.

    :param file: file that stores the address.
    :param api_url: base URL of the registry's API; a stored address of another host is ignored.
    """

    file: Path
    api_url: str

    @classmethod
    def for_blob(cls, api_url: str, image: Reference, digest: str) -> UploadSession:
        """Return the session for uploading a blob to a repository.

        :param api_url: base URL of the registry's API.
        :param image: the repository.
        :param digest: digest of the blob.
        :returns: the session.
        """
        name = hashlib.sha256(f"{api_url} {image.name} {digest}".encode()).hexdigest()
        return cls(file=get_cache_directory("oci-uploads") / name, api_url=api_url)

    def load_location(self) -> httpx.URL | None:
        """Return the stored address of the upload, or ``None``."""
        try:
            text = self.file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        api = httpx.URL(self.api_url)
        with contextlib.suppress(httpx.InvalidURL):
            url = httpx.URL(text)
            if (url.scheme, url.netloc) == (api.scheme, api.netloc):
                return url
        return None

    def save_location(self, location: httpx.URL) -> None:
        """Store the address of the upload for this user only, because it may contain a secret.

        :param location: the address of the upload.
        """
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            draft = self.file.with_suffix(f".{os.getpid()}")
            replace_file(self.file, str(location).encode(), draft, mode=0o600)

    def delete(self) -> None:
        """Delete the stored address, because the upload has finished or expired."""
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)
