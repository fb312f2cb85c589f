"""Uploads that were cut off, so that the next run goes on where this one stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from pathlib import Path

import httpx

from mastra_deployer.kit import cache_directory
from mastra_deployer_oci.api.reference import Reference

__all__ = ("UploadSession",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UploadSession:
    """Where one blob was last being sent to. A cache that cannot be written remembers nothing.

    :param home: the registry's API: no other place is gone on with.
    """

    file: Path
    api_url: str

    @classmethod
    def for_blob(cls, api_url: str, image: Reference, digest: str) -> UploadSession:
        """That of a blob on its way into a repository."""
        name = hashlib.sha256(f"{api_url} {image.name} {digest}".encode()).hexdigest()
        return cls(file=cache_directory("oci-uploads") / name, api_url=api_url)

    def load_location(self) -> httpx.URL | None:
        """The address that was last sent to, where there is one."""
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
        """Remember; for this user only, since an address may hold what lets others write to it."""
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            draft = self.file.with_suffix(f".{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_text(str(location), encoding="utf-8")
            draft.replace(self.file)

    def delete(self) -> None:
        """It is there, or the registry knows nothing of it."""
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)
