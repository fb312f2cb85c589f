"""Find the sources of editable packages, such as members of a workspace."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mastra_core.errors import ConfigError
from mastra_deployer.project.config import read_pyproject
from mastra_deployer.project.import_roots import list_import_roots

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
        # An unreadable record counts as no record.
        with contextlib.suppress(OSError, ValueError, AttributeError, IndexError, ConfigError):
            content = json.loads(record.read_bytes())
            if content.get("dir_info", {}).get("editable"):
                directory = Path(url2pathname(urlsplit(content["url"]).path)).resolve()
                yield list_import_roots(directory, read_pyproject(directory))[0]
