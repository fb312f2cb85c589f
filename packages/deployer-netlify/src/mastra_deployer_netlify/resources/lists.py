"""Read the JSON lists of Netlify's API, which have numbered pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError
from mastra_deployer.kit import iter_pages

if TYPE_CHECKING:
    import httpx

__all__ = ("iter_objects", "read_objects")

_PAGE = 100


def read_objects(response: httpx.Response) -> list[dict[str, Any]]:
    """Return the objects of a JSON list.

    :param response: a response of Netlify's API.
    :returns: the objects.
    :raises ApiError: when the body is not a list of objects.
    """
    content = response.json()
    if isinstance(content, list) and all(isinstance(item, dict) for item in content):
        return content
    request = response.request
    raise ApiError(
        f"The response to {request.method} {request.url.path} is not a list of JSON objects.",
        "Check the address of Netlify's API, and any proxy in between.",
    )


def iter_objects(
    client: httpx.Client, path: str, limit: int, query: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list, page by page.

    :param client: client of Netlify's API.
    :param path: path of the list.
    :param limit: how many objects to yield at most.
    :param query: further query parameters.
    :returns: the objects.
    """
    size = min(limit, _PAGE)

    def fetch(page: int) -> tuple[list[dict[str, Any]], int | None]:
        parameters = {**(query or {}), "page": str(page), "per_page": str(size)}
        items = read_objects(client.get(path, params=parameters))
        return items, page + 1 if len(items) >= size else None

    count = 0
    for items in iter_pages(fetch, 1, description=f"the list {path}"):
        for item in items:
            if count >= limit:
                return
            count += 1
            yield item
        if count >= limit:
            return
