"""Search the files of a directory."""

from __future__ import annotations

from pathlib import Path


def read_files(directory):
    """Return the contents of all files below by path; a directory without files is an error."""
    found = {path: path.read_bytes() for path in Path(directory).rglob("*") if path.is_file()}
    assert found, f"there is no file below {directory}"
    return found


def find_text(directory, *words):
    """Return the files below that contain any of the words."""
    return [
        path
        for path, content in read_files(directory).items()
        if any(word.encode() in content for word in words)
    ]
