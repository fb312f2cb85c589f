"""Uploaded files, stored by SHA-1 for each owner."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.vercel.fake.state.platform_state import PlatformState
from tests.vercel.fake.transport.faults import UPLOAD_QUOTA
from tests.vercel.fake.transport.request import ApiError, Request, Response
from tests.vercel.fake.transport.routing import UNVERSIONED, route


def get_file_path(platform: PlatformState, owner: str, sha: str) -> Path:
    """Return the path of a file, which may not exist."""
    return platform.store / "files" / owner / sha


def has_file(platform: PlatformState, owner: str, sha: str) -> bool:
    return get_file_path(platform, owner, sha).exists()


@route("POST", "files", 2, UNVERSIONED)
def upload_file(request: Request) -> Response:
    """Store a file; repeated uploads store it once."""
    if (
        request.platform.limits.uploads_left is not None
        and request.platform.limits.uploads_left <= 0
    ):
        return Response.from_fault(UPLOAD_QUOTA)
    digest = request.headers.get("x-vercel-digest") or request.headers.get("x-now-digest", "")
    _validate(request, digest)
    file = get_file_path(request.platform, request.scope, digest)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(request.content)
    if request.platform.limits.uploads_left is not None:
        request.platform.limits.uploads_left -= 1
    return Response(body={})


def _validate(request: Request, digest: str) -> None:
    if not digest or len(digest) > 40:
        raise ApiError(400, "bad_request", "The header `x-vercel-digest` is missing or too long")
    if hashlib.sha1(request.content).hexdigest() != digest.lower():
        raise ApiError(400, "bad_request", "File digest does not match the content")
    size = request.headers.get("x-now-size") or request.headers.get("content-length")
    if size != str(len(request.content)):
        raise ApiError(400, "bad_request", f"File size is not {size}")
    if request.headers.get("content-type") != "application/octet-stream":
        raise ApiError(400, "bad_request", "Content-Type should be application/octet-stream")
