"""A client for Cloudflare's API, on the HTTP client of the kit."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra_core.errors import ApiError, AuthError, ConfigError, DeployError
from mastra_core.secret import Secret
from mastra_deployer.kit import quote_segment
from mastra_deployer_cloudflare.error_codes import (
    ABSENT,
    BEING_WRITTEN,
    HINTS,
    explain_error,
)
from mastra_deployer_cloudflare.settings import CloudflareDeployer

if TYPE_CHECKING:
    import httpx
    from cloudflare import Cloudflare

__all__ = ("TOKEN", "CloudflareApi", "Part", "open_api")

TOKEN = "CLOUDFLARE_API_TOKEN"  # noqa: S105  # the name of a variable
_TOKEN_HINT = (
    "Create a token at dash.cloudflare.com/profile/api-tokens and set CLOUDFLARE_API_TOKEN."  # noqa: S105  # no token
)
_PAGE_SIZE = 50
_NOT_FOUND = 404
_UPLOAD_SECONDS = 300.0

Part = tuple[str, tuple[str | None, bytes] | tuple[str, bytes, str]]
"""A part of a multipart form: its name, and its file name, content and content type."""


class CloudflareApi:
    """Cloudflare's API for one account; each method returns the field ``result`` of the response.

    The SDK builds the requests, and the kit's client sends them. Requests that the SDK would send
    twice after a lost response use the kit's client directly.

    :param sdk: Cloudflare's SDK, which sends its requests with ``client``.
    :param client: the kit's client.
    :param account: id of the account; empty until it is known.
    """

    def __init__(self, sdk: Cloudflare, client: httpx.Client, account: str) -> None:
        self._sdk, self._client = sdk, client
        self.account = account

    def build_path(self, path: str) -> str:
        """Return the API path of a resource of the account.

        :param path: path below the account, such as ``/workers/subdomain``.
        """
        return f"/accounts/{quote_segment(self.account)}{path}"

    def build_script_path(self, name: str, suffix: str = "") -> str:
        """Return the API path of a Worker.

        :param name: the name of the Worker.
        :param suffix: rest of the path, with a leading slash.
        """
        return self.build_path(f"/workers/scripts/{quote_segment(name)}{suffix}")

    def get(self, path: str, **query: Any) -> Any:
        """Read an object.

        :param path: path below the base URL of the API.
        :param query: query parameters.
        """
        return self._call(lambda raw: self._sdk.get(path, cast_to=raw, options={"params": query}))

    def find(self, path: str, **query: Any) -> Any:
        """Read an object, or return ``None`` if it does not exist.

        :param path: path below the base URL of the API.
        :param query: query parameters.
        """
        try:
            return self.get(path, **query)
        except ApiError as error:
            if _is_absent(error):
                return None
            raise

    def list(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Read all pages of a list.

        :param path: path below the base URL of the API.
        :param query: further query parameters.
        """
        from mastra_deployer.kit import iter_pages

        def fetch(page: int) -> tuple[list[dict[str, Any]], int | None]:
            body = self._call_whole(
                lambda raw: self._sdk.get(
                    path,
                    cast_to=raw,
                    options={"params": {**query, "page": page, "per_page": _PAGE_SIZE}},
                )
            )
            items, info = list(body.get("result") or ()), body.get("result_info") or {}
            total, size = info.get("total_count"), info.get("per_page") or _PAGE_SIZE
            if isinstance(total, int):
                has_more = page < math.ceil(total / size)
            else:
                has_more = len(items) >= _PAGE_SIZE
            return items, page + 1 if items and has_more else None

        pages = iter_pages(fetch, 1, description=f"the list at {path}")
        return [item for page in pages for item in page]

    def list_by_cursor(self, path: str, key: str, size: int) -> Sequence[dict[str, Any]]:
        """Read all pages of a list whose pages have cursors.

        :param path: path below the base URL of the API.
        :param key: the field of the result that has the items.
        :param size: number of items of a page.
        """
        from mastra_deployer.kit import iter_pages

        def fetch(cursor: str) -> tuple[Sequence[dict[str, Any]], str]:
            query = {"per_page": size, **({"cursor": cursor} if cursor else {})}
            body = self._call_whole(
                lambda raw: self._sdk.get(path, cast_to=raw, options={"params": query})
            )
            following = (body.get("result_info") or {}).get("cursor")
            return list((body.get("result") or {}).get(key) or ()), str(following or "")

        pages = iter_pages(fetch, "", description=f"the list at {path}")
        return [item for page in pages for item in page]

    def put(self, path: str, body: Any) -> Any:
        """Replace an object.

        :param path: path below the base URL of the API.
        :param body: the value that the request sends as JSON.
        """
        return self._call(lambda raw: self._sdk.put(path, cast_to=raw, body=body))

    def post(
        self,
        path: str,
        body: Any,
        *,
        query: Mapping[str, str] | None = None,
        idempotent: bool = False,
    ) -> Any:
        """Create an object; only an idempotent request is repeated after a lost response.

        :param path: path below the base URL of the API.
        :param body: the value that the request sends as JSON.
        :param query: query parameters.
        :param idempotent: whether a repeated request has the same effect as one.
        """
        extensions = {"mastra_idempotent": idempotent}
        return self._call(
            lambda _: self._client.post(path, params=query, json=body, extensions=extensions)
        )

    def patch(self, path: str, body: Any, *, merge: bool = False) -> Any:
        """Change fields of an object; a repeated request has the same effect.

        :param path: path below the base URL of the API.
        :param body: the value that the request sends as JSON.
        :param merge: whether the body is a merge patch (RFC 7396).
        """
        kind = "application/merge-patch+json" if merge else "application/json"
        return self._call(
            lambda _: self._client.patch(
                path,
                json=body,
                headers={"content-type": kind},
                extensions={"mastra_idempotent": True},
            )
        )

    def delete(self, path: str, **query: str) -> None:
        """Delete an object; do nothing if the object does not exist.

        :param path: path below the base URL of the API.
        :param query: query parameters.
        """
        try:
            self._call(lambda raw: self._sdk.delete(path, cast_to=raw, options={"params": query}))
        except ApiError as error:
            if not _is_absent(error):
                raise

    def upload(
        self,
        method: str,
        path: str,
        parts: Sequence[Part],
        *,
        boundary: str,
        query: Mapping[str, str],
    ) -> Any:
        """Send a multipart form, which is not repeated after a lost response.

        :param method: ``POST`` or ``PUT``.
        :param path: path below the base URL of the API.
        :param parts: the parts of the form.
        :param boundary: the text between two parts; equal uploads need equal boundaries.
        :param query: query parameters.
        """
        extensions = {"mastra_idempotent": False, "mastra_max_seconds": 2 * _UPLOAD_SECONDS}
        return self._call(
            lambda _: self._client.request(
                method,
                path,
                params=query,
                files=list(parts),
                headers={"content-type": f"multipart/form-data; boundary={boundary}"},
                timeout=_UPLOAD_SECONDS,
                extensions=extensions,
            )
        )

    def _call(self, send: Callable[[type[httpx.Response]], Any]) -> Any:
        return self._call_whole(send).get("result")

    def _call_whole(self, send: Callable[[type[httpx.Response]], Any]) -> dict[str, Any]:
        """Send a request, and return the whole response."""
        import httpx
        from cloudflare import CloudflareError

        from mastra_deployer.kit import convert_response_errors, convert_sdk_errors, read_object

        try:
            with (
                convert_response_errors("Cloudflare"),
                convert_sdk_errors("Cloudflare", CloudflareError, hints=HINTS),
            ):
                response: httpx.Response = send(httpx.Response)
                body = read_object(response) if response.content else {}
                _require_success(response, body)
                return body
        except DeployError as error:
            explained = explain_error(error)
            if explained is error:
                raise
            raise explained from error


@contextlib.contextmanager
def open_api(
    settings: CloudflareDeployer, credentials: Mapping[str, Secret]
) -> Iterator[CloudflareApi]:
    """Open the API for the account of the settings, or else for the token's only account.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :returns: the API, closed at the end of the block.
    :raises AuthError: when the token is missing or rejected.
    :raises ConfigError: when the token has several accounts and the settings name none.
    """
    from mastra_deployer.kit import open_client

    with open_client(
        settings.api_url,
        credentials,
        TOKEN,
        name="Cloudflare",
        hint=_TOKEN_HINT,
        hints=HINTS,
        retry_codes=(BEING_WRITTEN,),
    ) as client:
        sdk = _create_sdk(settings, credentials[TOKEN], client)
        api = CloudflareApi(sdk, client, settings.scope)
        api.account = api.account or _find_account(api)
        yield api


def _find_account(api: CloudflareApi) -> str:
    """Return the id of the token's only account: ``GET /accounts``.

    :param api: Cloudflare's API.
    :raises AuthError: when the token has no account.
    :raises ConfigError: when the token has several accounts.
    """
    accounts = api.list("/accounts")
    if not accounts:
        raise AuthError(
            "The token has no access to any account.",
            "Set scope to the id of the account. Or give the token the permission "
            "'Account Settings: Read'.",
        )
    if len(accounts) > 1:
        names = ", ".join(sorted(f"{item.get('id')} ({item.get('name')})" for item in accounts))
        raise ConfigError(
            f"The token has access to {len(accounts)} accounts, but the scope setting does not "
            "select one of them.",
            f"Set scope to the id of an account: {names}.",
        )
    return str(accounts[0]["id"])


def _create_sdk(settings: CloudflareDeployer, token: Secret, client: httpx.Client) -> Cloudflare:
    from cloudflare import Cloudflare

    sdk = Cloudflare(
        api_token=token.reveal().strip(),
        base_url=settings.api_url,
        http_client=client,
        max_retries=0,
    )
    # The SDK would also send other credentials, which it finds in the environment.
    sdk.api_key = sdk.api_email = sdk.user_service_key = None
    return sdk


def _require_success(response: httpx.Response, body: Mapping[str, Any]) -> None:
    """Raise an error if the body of a response reports a failure despite a success status."""
    if body.get("success", True):
        return
    errors = body.get("errors") or [{}]
    code, message = str(errors[0].get("code") or ""), errors[0].get("message") or "no message"
    request = response.request
    raise ApiError(
        f"Cloudflare responded to {request.method} {request.url.path} with an error: {message} "
        f"({code}).",
        HINTS.get(code, "This message comes from the platform. Correct the problem that it names."),
        status=response.status_code,
        code=code,
    )


def _is_absent(error: ApiError) -> bool:
    """Return whether an error says that the object does not exist."""
    return error.status == _NOT_FOUND or error.code in ABSENT
