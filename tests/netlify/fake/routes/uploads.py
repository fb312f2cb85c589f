"""Uploads of files and functions."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from tests.netlify.fake.routing import ApiError, Request, route
from tests.netlify.fake.state import Deploy, compute_sha1, compute_sha256

API = "/api/v1"
ZIPPED, UNZIPPED = 52_428_800, 262_144_000
MAX_ENVIRONMENT = 4096
RUNTIMES = {"js", "go", "rs", "provided.al2", *(f"nodejs{n}.x" for n in (18, 20, 22, 24))}


@route("GET", f"{API}/sites/{{site}}/files")
def list_files(request: Request) -> Any:
    """List the files of the published deployment."""
    platform, site = request.platform, request.find_site(request["site"])
    published = platform.deploys.get(site.published)
    return [
        {"id": f"/{path}", "path": f"/{path}", "sha": sha, "size": len(platform.files[sha])}
        for path, sha in (published.files if published else {}).items()
    ]


@route("PUT", f"{API}/deploys/{{deploy}}/files/{{path*}}")
def upload_file(request: Request) -> Any:
    deploy = request.find_deploy()[1]
    path, content = request["path"], request.content
    sha = compute_sha1(content)
    if deploy.files.get(path) != sha:
        raise ApiError(422, f"{path!r} has another digest, or is no file of this deploy")
    _refuse_cancelled(deploy)
    request.platform.files[sha] = content
    return {"id": path, "path": f"/{path}", "sha": sha, "size": len(content)}


@route("PUT", f"{API}/deploys/{{deploy}}/functions/{{name}}")
def upload_function(request: Request) -> Any:
    deploy, name = request.find_deploy()[1], request["name"]
    if request.platform.function_rejection:
        status, message = request.platform.function_rejection
        raise ApiError(status, message, {"error": message})
    _refuse_cancelled(deploy)
    sha = compute_sha256(request.content)
    if deploy.functions.get(name) != sha:
        raise ApiError(422, f"{name!r} has another digest, or is no function of this deploy")
    if request.get_query("runtime") not in RUNTIMES:
        raise ApiError(422, "Unknown runtime")
    if (deploy.config.get(name) or {}).get("build_data", {}).get("runtimeAPIVersion") != 2:
        raise ApiError(422, "build_data is missing")
    _check_sizes(request.content)
    size = sum(len(key) + len(value.encode()) for key, value in deploy.env.items())
    if size > MAX_ENVIRONMENT:
        message = "Your environment variables exceed the 4KB limit imposed by AWS Lambda"
        raise ApiError(422, message)
    request.platform.functions[sha] = request.content
    return {"id": f"{deploy.id}-{name}", "name": name, "sha": sha}


def _refuse_cancelled(deploy: Deploy) -> None:
    if deploy.state == "error":
        raise ApiError(422, "The deploy was cancelled")


def _check_sizes(content: bytes) -> None:
    if len(content) > ZIPPED:
        message = "Request must be smaller than 69905067 bytes for the CreateFunction operation"
        raise ApiError(400, message)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(info.file_size for info in archive.infolist()) > UNZIPPED:
            raise ApiError(400, f"Unzipped size must be smaller than {UNZIPPED} bytes")
