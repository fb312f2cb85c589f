"""Compute the digests of a bundle's files, and upload the files that Netlify does not have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mastra_core.errors import ApiError, BundleError, DeployError
from mastra_core.pipeline import Bundle, Report
from mastra_deployer.kit import FileManifest, format_largest, quote_segment, upload
from mastra_deployer_netlify.bundle.output import FUNCTIONS, STATIC, FunctionConfig, read_functions

if TYPE_CHECKING:
    import httpx

__all__ = ("BundleFiles", "send_missing_files")

_CONCURRENCY = 4
_SIZE_MESSAGES = ("50mb", "must be smaller", "larger than", "too large")
_SIZE_STATUS = 413


@dataclasses.dataclass(frozen=True, kw_only=True)
class BundleFiles:
    """The files of a bundle by digest.

    :param static: static files, by SHA-1.
    :param functions: functions, by the SHA-256 of the function's zip.
    :param paths: paths of the functions' zips, by the SHA-256 of the zip.
    :param sizes: bytes of each part of the app, for error messages.
    """

    static: FileManifest
    functions: Mapping[str, FunctionConfig]
    paths: Mapping[str, Path]
    sizes: Mapping[str, int]

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> BundleFiles:
        """Compute the digests of a bundle's files.

        :param bundle: the bundle to deploy.
        :raises BundleError: if two functions have the same content, because Netlify would confuse
            them, or if a zip is outside of the directory of functions.
        """
        zips = FileManifest.from_directory(bundle.directory / FUNCTIONS)
        functions: dict[str, FunctionConfig] = {}
        paths: dict[str, Path] = {}
        for function in read_functions(bundle.directory):
            digest = zips.paths.get(function.path.removeprefix(f"{FUNCTIONS}/"))
            if digest is None:  # another file of this machine must not be sent
                raise BundleError(
                    f"The function {function.name!r} has the path {function.path!r}, which is not "
                    f"a file in {FUNCTIONS}.",
                    "Bundle again: mastra bundle netlify.",
                )
            if digest in functions:
                raise BundleError(
                    f"The functions {functions[digest].name!r} and {function.name!r} have the same "
                    "content, so Netlify would run only one of them.",
                    "Write the name of each function into a file in its zip, so that the zips "
                    "differ.",
                )
            functions[digest], paths[digest] = function, bundle.directory / function.path
        static = FileManifest.from_directory(bundle.directory / STATIC, "sha1")
        return cls(static=static, functions=functions, paths=paths, sizes=bundle.manifest.sizes)

    def to_body(self) -> dict[str, Any]:
        """Return the fields about files for the request that creates a deployment."""
        return {
            "files": {path: self.static.paths[path] for path in sorted(self.static.paths)},
            "functions": {function.name: digest for digest, function in self.functions.items()},
            "functions_config": {
                function.name: function.to_config() for function in self.functions.values()
            },
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Upload:
    """One request that sends content.

    :param path: path of the endpoint.
    :param file: the file to send.
    :param size: bytes of the content.
    :param query: query parameters of the request, if it sends a function.
    :param function: name of the function; empty for a static file.
    """

    path: str
    file: Path
    size: int
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    function: str = ""


def send_missing_files(
    client: httpx.Client, item: Mapping[str, Any], files: BundleFiles, report: Report
) -> None:
    """Send the content that a deployment still needs: ``PUT /deploys/{id}/files/{path}``.

    Functions are sent with ``PUT /deploys/{id}/functions/{name}``. Content is identified by its
    digest, so a request may be repeated.

    :param client: client of Netlify's API.
    :param item: the deployment, as Netlify describes it.
    :param files: the files of the bundle.
    :param report: receives progress.
    :raises ApiError: when Netlify rejects a file.
    :raises DeployError: if Netlify requires content that the bundle does not have.
    """
    uploads = [*_iter_functions(item, files), *_iter_static_files(item, files)]
    if not uploads:
        return
    report.step("Uploading")

    def send(each: _Upload) -> None:
        _send(client, each, files)

    upload(uploads, send, report=report, size=lambda each: each.size, concurrency=_CONCURRENCY)


def _iter_static_files(item: Mapping[str, Any], files: BundleFiles) -> Iterator[_Upload]:
    for digest in item.get("required") or ():
        paths = files.static.files.get(digest)
        if not paths:
            raise _build_digest_error(digest)
        name = paths[0].relative_to(files.static.directory).as_posix()
        size = files.static.sizes[digest]
        yield _Upload(
            path=f"/deploys/{quote_segment(item['id'])}/files/{quote(name)}",
            file=paths[0],
            size=size,
        )


def _iter_functions(item: Mapping[str, Any], files: BundleFiles) -> Iterator[_Upload]:
    for digest in item.get("required_functions") or ():
        function = files.functions.get(digest)
        if function is None:
            raise _build_digest_error(digest)
        file = files.paths[digest]
        yield _Upload(
            path=f"/deploys/{quote_segment(item['id'])}/functions/{quote_segment(function.name)}",
            file=file,
            size=file.stat().st_size,
            query={"runtime": function.runtime, "invocation_mode": function.invocation_mode},
            function=function.name,
        )


def _send(client: httpx.Client, each: _Upload, files: BundleFiles) -> None:
    try:
        client.put(
            each.path,
            params={**each.query, "size": str(each.size)},
            content=each.file.read_bytes(),
            headers={"content-type": "application/octet-stream"},
            # Netlify sometimes responds with 401 to an upload with a valid token.
            extensions={"mastra_retry_401": True},
        )
    except ApiError as error:
        if not each.function or error.status is None:
            raise
        hint = _choose_hint(error, files)
        raise ApiError(
            f"Netlify rejected the function {each.function!r}: {error.message}",
            hint,
            status=error.status,
            code=error.code,
        ) from error


def _choose_hint(error: ApiError, files: BundleFiles) -> str:
    message = error.message.lower()
    if error.status == _SIZE_STATUS or any(text in message for text in _SIZE_MESSAGES):
        return (
            "A function may have 52,428,800 bytes zipped and 262,144,000 unzipped. The largest "
            f"parts are: {format_largest(files.sizes)}."
        )
    if "reserved key" in message:
        return "Rename the environment variable, because AWS Lambda reserves its name."
    if "4kb" in message or "environment variables exceed" in message:
        return "The limit includes the variables of the site and of the team. Remove some of them."
    return error.hint


def _build_digest_error(digest: str) -> DeployError:
    return DeployError(
        f"Netlify requires a file with the digest {digest!r}, which the bundle does not contain.",
        "Run the same command again. If the error remains, update mastra-deployer-netlify.",
    )
