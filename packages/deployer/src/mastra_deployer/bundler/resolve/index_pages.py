"""Read from a package index which wheels a project has, by version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from mastra_core.errors import ApiError

__all__ = ("read_wheel_versions",)

_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, text/html;q=0.5"
_NOT_FOUND = 404


def read_wheel_versions(index: str, name: str) -> dict[Version, list[str]]:
    """Return the file names of a project's wheels by version; empty if the index lacks the project.

    Yanked files are left out.

    :param index: URL of the index, without the name of the project.
    :param name: canonical name of the project.
    :raises ApiError: when the index cannot be reached, rejects the request, or sends no list of
        files.
    :raises AuthError: when the index requires credentials.
    :raises ConfigError: for an index without https, except on this machine.
    """
    from mastra_deployer.kit.http.connect import connect  # loads the HTTP client
    from mastra_deployer.kit.http.response_errors import convert_response_errors

    with (
        convert_response_errors("the package index"),
        connect(index, name="the package index", consent=False) as client,
    ):
        try:
            response = client.get(
                f"{index.rstrip('/')}/{name}/", headers={"Accept": _ACCEPT}, follow_redirects=True
            )
        except ApiError as error:
            if error.status == _NOT_FOUND:
                return {}
            raise
        is_json = response.headers.get("content-type", "").startswith(_JSON)
        return _group_wheels(
            _iter_listed(response.json()) if is_json else _iter_linked(response.text)
        )


def _group_wheels(names: Iterable[str]) -> dict[Version, list[str]]:
    versions: dict[Version, list[str]] = defaultdict(list)
    for file in names:
        try:
            versions[parse_wheel_filename(file)[1]].append(file)
        except InvalidWheelFilename:  # a source archive
            continue
    return dict(versions)


def _iter_listed(page: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the files on a page in JSON."""
    for file in page["files"]:
        if not file.get("yanked"):
            yield file["filename"]


def _iter_linked(page: str) -> Iterator[str]:
    """Yield the names of the files on a page in HTML."""
    parser = _LinkParser()
    parser.feed(page)
    for link in parser.links:
        yield unquote(PurePosixPath(urlsplit(link).path).name)


class _LinkParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and "data-yanked" not in values:
            self.links.append(values.get("href") or "")
