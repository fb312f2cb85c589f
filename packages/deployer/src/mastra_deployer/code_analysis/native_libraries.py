"""Find compiled libraries in a directory, and tell WebAssembly libraries from others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ("find_foreign_libraries", "is_library")

_LIBRARY = re.compile(r".+\.(so(\.[\d.]+)?|pyd|dll|dylib)")
_WASM = b"\0asm"


def is_library(name: str) -> bool:
    """Return whether a file is a compiled library of any system, by its name.

    :param name: the name of the file, with or without its directory.
    """
    return _LIBRARY.fullmatch(name) is not None


def find_foreign_libraries(directory: Path) -> Iterator[Path]:
    """Yield the compiled libraries below a directory that are not WebAssembly, sorted by path.

    Even a wheel that claims to be pure Python may contain a compiled library.

    :param directory: a directory, such as that of a staged app.
    """
    for path in sorted(directory.rglob("*")):
        if is_library(path.name) and path.is_file():
            with path.open("rb") as file:
                if file.read(len(_WASM)) != _WASM:
                    yield path
