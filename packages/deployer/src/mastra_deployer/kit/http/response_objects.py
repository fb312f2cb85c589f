"""Read the JSON objects in a platform's responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from mastra_core.errors import ApiError
from mastra_deployer.kit.http.pages import iter_pages

if TYPE_CHECKING:  # httpx is loaded on use: importing the kit in ``mastra_target`` must cost little
    import httpx

__all__ = ("find_object", "list_objects", "read_object")

_NOT_FOUND = 404


def read_object(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in a response.

    :param response: the response of a client that ``connect`` returned.
    :raises ApiError: when the body is not a JSON object, such as the page of a gateway.
    """
    content = response.json()
    if not isinstance(content, dict):
        request = response.request
        raise ApiError(
            f"The response to {request.method} {request.url.path} is not a JSON object.",
            "Check the address of the platform, and any proxy in between.",
        )
    return content


def find_object(
    client: httpx.Client, path: str, *, params: Mapping[str, Any] | None = None, **options: Any
) -> dict[str, Any] | None:
    """Return the JSON object at a path, or ``None`` for a 404.

    :param client: a client that ``connect`` returned.
    :param path: the path of a GET request.
    :param params: query parameters, added to those of ``path``.
    :param options: further arguments of ``client.get``.
    :raises ApiError: when the body is not a JSON object.
    """
    extensions = {**options.pop("extensions", {}), "mastra_accept": (_NOT_FOUND,)}
    if params:
        options["params"] = {**_read_query(path), **params}  # httpx would replace those of the path
    response = client.get(path, extensions=extensions, **options)
    return None if response.status_code == _NOT_FOUND else read_object(response)


def list_objects(
    client: httpx.Client,
    path: str,
    key: str,
    cursor: str,
    next_cursor: str,
    *,
    params: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Return the JSON objects of a list that is sent in pages; for a 404, return an empty list.

    :param client: a client that ``connect`` returned.
    :param path: the path of a GET request.
    :param key: the field of a page that has the objects.
    :param cursor: the query parameter that selects a page.
    :param next_cursor: the field of a page that has the value of ``cursor`` for the next page; in
        the last page, the field is empty or missing.
    :param params: further query parameters.
    :raises ApiError: when the platform names the same page twice, or there are too many pages.
    """

    def fetch(place: str) -> tuple[list[dict[str, Any]], str]:
        query = {**(params or {}), **({cursor: place} if place else {})}
        page = find_object(client, path, params=query) or {}
        return page.get(key) or [], str(page.get(next_cursor) or "")

    pages = iter_pages(fetch, "", description=f"the list at {path}")
    return [item for page in pages for item in page]


def _read_query(path: str) -> dict[str, Any]:
    """Return the query parameters of a path, each with a list of its values."""
    return parse_qs(urlsplit(path).query, keep_blank_values=True)
