"""Find the sources of editable packages, such as members of a workspace."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

__all__ = ("find_editable_sources",)


def find_editable_sources(site_packages: Iterable[str], root: Path) -> tuple[Path, ...]:
    """Return the import roots of the editable packages that are not the project itself.

    :param site_packages: directories of installed packages.
    :param root: the root of the project.
    """
    root = root.resolve()
    found = {path for place in site_packages for path in _iter_sources(Path(place))}
    return tuple(sorted(path for path in found if not path.is_relative_to(root)))


def _iter_sources(place: Path) -> Iterator[Path]:
    for record in place.glob("*.dist-info/direct_url.json"):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # as if there were none
            content = json.loads(record.read_bytes())
            if content.get("dir_info", {}).get("editable"):
                directory = Path(url2pathname(urlsplit(content["url"]).path)).resolve()
                source = directory / "src"
                yield source if source.is_dir() else directory
