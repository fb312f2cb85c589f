"""The limits of a function on Netlify."""

from __future__ import annotations

from pathlib import Path

__all__ = (
    "BACKGROUND_SECONDS",
    "REQUEST",
    "RESPONSE",
    "SECONDS",
    "UNZIPPED",
    "ZIPPED",
    "measure_function",
)

ZIPPED = 52_428_800  # bytes of a function's zip
UNZIPPED = 262_144_000  # bytes of a function's files
REQUEST = 6_291_456  # bytes of the body of a request; a body that is not text is sent in base64
RESPONSE = 20_971_520  # bytes of a streamed response
SECONDS = 60  # that a request may take
BACKGROUND_SECONDS = 900  # that an invocation of a background function may take


def measure_function(file: Path) -> tuple[int, int]:
    """Return the bytes of a function's zip, and the bytes of all files in it.

    :param file: the zip.
    """
    import zipfile

    with zipfile.ZipFile(file) as archive:
        unzipped = sum(info.file_size for info in archive.infolist())
    return file.stat().st_size, unzipped
