"""A client for one repository of a registry, with the OCI distribution API."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self
from urllib.parse import urlsplit

from mastra_core.errors import ApiError, AuthError
from mastra_core.secret import Secret
from mastra_deployer.kit import convert_response_errors, is_loopback, iter_pages, read_object
from mastra_deployer_oci.api.docker_auth import Login, find_stored_login, login_from_credentials
from mastra_deployer_oci.api.documents import INDEX, MANIFEST_TYPE, Document
from mastra_deployer_oci.api.redirects import refuse_redirect
from mastra_deployer_oci.api.reference import DOCKER_HUB, Reference
from mastra_deployer_oci.api.tags import check_production_tag
from mastra_deployer_oci.settings import OciDeployer

if TYPE_CHECKING:  # httpx is imported on connecting, so that mastra_target stays cheap
    import httpx

__all__ = (
    "Repository",
    "get_api_url",
    "get_login_host",
    "is_unreadable",
    "open_repository",
    "open_target",
)

_HUB_API = "https://registry-1.docker.io"
_DOCKER = "application/vnd.docker.distribution.manifest"
_TYPES = (MANIFEST_TYPE, INDEX, f"{_DOCKER}.v2+json", f"{_DOCKER}.list.v2+json")
_ACCEPT_NOT_FOUND = {"mastra_accept": (404,)}
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
_PAGE = 1000
_CHUNK = 1 << 20
_MAX_MANIFEST = 4 << 20  # bytes; the specification's limit for a registry
_MAX_TAGS = 16 << 20  # bytes of a page of tags
_NOT_FOUND = 404
_INTERNAL_ERROR = 500


class Repository:
    """A repository of a registry; as a context manager, it closes its client.

    :param client: HTTP client, as ``kit.connect`` returns it.
    :param image: registry and repository.
    :param login_hint: the hint of an ``AuthError``.
    """

    def __init__(self, client: httpx.Client, image: Reference, login_hint: str) -> None:
        self.client = client
        self.image = image
        self._login_hint = login_hint
        self._root = f"/v2/{image.repository}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: object, error: BaseException | None, trace: object) -> None:
        self.client.close()
        if isinstance(error, AuthError):  # the kit does not know where the login comes from
            raise AuthError(error.message, self._login_hint)
        if error is not None:
            with convert_response_errors(self.image.registry):
                raise error

    def has_blob(self, digest: str) -> bool:
        """Return whether the repository has a blob: ``HEAD /v2/<name>/blobs/<digest>``.

        A registry that was killed while it stored a blob may respond with 500 until the blob is
        uploaded again.

        :param digest: digest of the blob, ``sha256:...``.
        :returns: ``False`` if the registry responds with 404, or several times with 500.
        """
        try:
            response = self.client.head(
                f"{self._root}/blobs/{digest}", extensions=_ACCEPT_NOT_FOUND
            )
        except ApiError as error:
            if is_unreadable(error):
                return False
            raise
        return response.status_code != _NOT_FOUND

    def read_blob(self, digest: str) -> bytes:
        """Read a small blob into memory: ``GET /v2/<name>/blobs/<digest>``.

        :param digest: digest of the blob.
        :returns: the content of the blob.
        :raises ApiError: when the blob does not exist or its content does not match the digest.
        """
        response = self.client.get(f"{self._root}/blobs/{digest}", follow_redirects=True)
        return self._verify_content(response.content, digest)

    def download(self, digest: str, size: int, target: Path) -> None:
        """Download a blob into a file: ``GET /v2/<name>/blobs/<digest>``.

        :param digest: digest of the blob.
        :param size: bytes of the blob, as its descriptor says; the download stops beyond this size.
        :param target: file to write.
        :raises ApiError: when the blob does not exist, is larger than ``size``, or does not match
            the digest.
        """
        hasher = hashlib.sha256()
        url = f"{self._root}/blobs/{digest}"
        with (
            self.client.stream(
                "GET", url, follow_redirects=True, extensions={"mastra_max_size": size}
            ) as response,
            target.open("wb") as file,
        ):
            for chunk in response.iter_raw(_CHUNK):
                hasher.update(chunk)
                file.write(chunk)
        self._raise_for_digest(f"sha256:{hasher.hexdigest()}", digest)

    def find_manifest(self, pointer: str) -> Document | None:
        """Fetch a manifest or an index: ``GET /v2/<name>/manifests/<tag or digest>``.

        :param pointer: tag or digest.
        :returns: the document, or ``None`` when there is none.
        :raises ApiError: when the content is not a JSON object, is larger than the specification
            allows, or does not match the requested digest.
        """
        response = self.client.get(
            f"{self._root}/manifests/{pointer}",
            headers={"accept": ", ".join(_TYPES)},
            extensions={**_ACCEPT_NOT_FOUND, "mastra_max_size": _MAX_MANIFEST},
        )
        if response.status_code == _NOT_FOUND:
            return None
        if pointer.startswith("sha256:"):
            self._verify_content(response.content, pointer)
        read_object(response)
        media_type = response.headers.get("content-type", "").partition(";")[0]
        return Document(content=response.content, media_type=media_type)

    def find_readable_manifest(self, pointer: str) -> Document | None:
        """Fetch a manifest or an index that the registry can read.

        A registry that was killed while it stored a manifest or a tag may respond with 500 until
        the manifest or tag is stored again.

        :param pointer: tag or digest.
        :returns: the document, or ``None`` if the registry responds with 404, or several times
            with 500.
        :raises ApiError: as ``find_manifest`` does, for other errors.
        """
        try:
            return self.find_manifest(pointer)
        except ApiError as error:
            if is_unreadable(error):
                return None
            raise

    def put_manifest(self, pointer: str, document: Document) -> None:
        """Store a document under a tag or a digest: ``PUT /v2/<name>/manifests/<tag or digest>``.

        One such request also moves a tag to another image.

        :param pointer: tag or digest.
        :param document: manifest or index.
        :raises ApiError: when the registry rejects the document, or responds with a redirect.
        """
        response = self.client.put(
            f"{self._root}/manifests/{pointer}",
            content=document.content,
            headers={"content-type": document.media_type},
        )
        refuse_redirect(response, self.image.registry)

    def delete_manifest(self, digest: str) -> None:
        """Delete a manifest if it exists: ``DELETE /v2/<name>/manifests/<digest>``.

        :param digest: digest of the manifest.
        :raises ApiError: when the registry does not allow deleting.
        """
        url = f"{self._root}/manifests/{digest}"
        response = self.client.delete(url, extensions=_ACCEPT_NOT_FOUND)
        refuse_redirect(response, self.image.registry)

    def list_tags(self) -> list[str]:
        """List all tags, page by page: ``GET /v2/<name>/tags/list``.

        :returns: the tags; empty for a repository that does not exist.
        """
        return [tag for page in self._iter_tag_pages() for tag in page]

    def _iter_tag_pages(self) -> Iterator[Sequence[str]]:
        return iter_pages(
            self._fetch_tags,
            f"{self._root}/tags/list?n={_PAGE}",
            description=f"the list of tags of {self.image.name}",
        )

    def _fetch_tags(self, url: str) -> tuple[Sequence[str], str | None]:
        """Return a page of tags, and the path of the next page."""
        response = self.client.get(
            url, extensions={**_ACCEPT_NOT_FOUND, "mastra_max_size": _MAX_TAGS}
        )
        if response.status_code == _NOT_FOUND:
            return (), None
        tags = read_object(response).get("tags") or ()
        if not all(isinstance(tag, str) for tag in tags):
            self._raise_invalid("its list of tags contains values that are not text")
        next_page = _NEXT.search(response.headers.get("link", ""))
        # Only the path is kept: all pages come from the registry itself.
        following = response.url.join(next_page[1]).raw_path.decode() if next_page else None
        return tags, following

    def _verify_content(self, content: bytes, digest: str) -> bytes:
        self._raise_for_digest(f"sha256:{hashlib.sha256(content).hexdigest()}", digest)
        return content

    def _raise_for_digest(self, actual: str, digest: str) -> None:
        if actual != digest:
            raise ApiError(
                f"{self.image.registry} sent content with digest {actual!r}, not {digest!r}.",
                "A proxy may change the content. Run the same command again.",
            )

    def _raise_invalid(self, reason: str) -> NoReturn:
        raise ApiError(
            f"{self.image.registry} does not behave like a registry: {reason}.",
            "Check the address of the registry, and any proxy in front of the registry.",
        )


def is_unreadable(error: ApiError) -> bool:
    """Return whether the registry has a tag, a manifest or a blob, but cannot read it.

    :param error: the error of a request for the tag, the manifest or the blob.
    """
    return error.status == _INTERNAL_ERROR


def get_api_url(registry: str) -> str:
    """Return the base URL of a registry's API: https, or http for a loopback address.

    :param registry: host of the registry, with its port if one is given.
    :returns: the URL.
    """
    if registry == DOCKER_HUB:
        return _HUB_API
    host = registry.rpartition(":")[0] if re.search(r":\d+$", registry) else registry
    return f"{'http' if is_loopback(host.strip('[]')) else 'https'}://{registry}"


def get_login_host(image: Reference, api: str = "") -> str:
    """Return the host whose login is needed: the host that receives the requests.

    :param image: registry and repository.
    :param api: base URL of the API; derived from the registry if empty.
    """
    address = (api or get_api_url(image.registry)).rstrip("/")
    return DOCKER_HUB if address == _HUB_API else urlsplit(address).netloc.rpartition("@")[2]


def open_repository(
    image: Reference,
    login: Login | None,
    api: str = "",
    *,
    scopes: Sequence[str] = (),
    login_hint: str = "Run:",
) -> Repository:
    """Open a repository with a login, if there is one.

    :param image: registry and repository.
    :param login: login at the registry; ``None`` for anonymous access.
    :param api: base URL of the API; derived from the registry if empty.
    :param scopes: scopes to request tokens for; if empty, the scope that permits pulling.
    :param login_hint: first part of the hint after a rejected login; ``docker login HOST`` is
        appended to it.
    :returns: the repository, to be closed by the caller.
    :raises ConsentError: when only a project's files name the host that would get the login.
    :raises AuthError: when the stored login belongs to another host.
    """
    from mastra_deployer.kit import connect, require_consent
    from mastra_deployer_oci.api.bearer_auth import RegistryAuth

    host, url = get_login_host(image, api), api or get_api_url(image.registry)
    if login is not None:
        if login.host not in ("", host):
            raise AuthError(
                f"The login from {login.source} is for {login.host!r}, not for {host!r}.",
                f"Run: docker login {host}",
            )
        require_consent(url, host_bound=bool(login.host))
    auth = RegistryAuth(login, scopes or (f"repository:{image.repository}:pull",))
    client = connect(url, auth=auth, name=image.registry, consent=False)
    return Repository(client, image, f"{login_hint} docker login {host}")


def open_target(
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    *,
    mount_from: str = "",
    actions: str = "pull,push",
) -> Repository:
    """Open the repository of the setting ``image``.

    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param mount_from: another repository of the registry, whose layers are mounted; empty to mount
        no layers.
    :param actions: actions to request tokens for.
    :returns: the repository, to be closed by the caller.
    :raises AuthError: when only one of user name and password is set.
    :raises ConfigError: when ``image`` or ``tag`` is not valid.
    """
    check_production_tag(settings.tag)
    image = Reference.parse(settings.image)
    host = get_login_host(image, settings.api_url)
    login = login_from_credentials(credentials) or find_stored_login(host)
    scopes = [f"repository:{image.repository}:{actions}"]
    if mount_from and mount_from != image.repository:
        scopes.append(f"repository:{mount_from}:pull")
    login_hint = (
        f"Check the login from {login.source} and its permissions, or run:"
        if login
        else "Set OCI_USERNAME and OCI_PASSWORD, or OCI_TOKEN, or run:"
    )
    return open_repository(image, login, settings.api_url, scopes=scopes, login_hint=login_hint)
