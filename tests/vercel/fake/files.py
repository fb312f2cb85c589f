"""Files by the SHA-1 of their content, kept for each owner."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.vercel.fake.call import Answer, Call, Refused
from tests.vercel.fake.faults import UPLOAD_QUOTA
from tests.vercel.fake.routes import UNVERSIONED, route
from tests.vercel.fake.world import World


def place(world: World, owner: str, sha: str) -> Path:
    """Where a file is or would be."""
    return world.store / "files" / owner / sha


def has(world: World, owner: str, sha: str) -> bool:
    return place(world, owner, sha).exists()


@route("POST", "files", 2, UNVERSIONED)
def upload(call: Call) -> Answer:
    """Keep a file; sent again it is still one."""
    if call.world.limits.uploads is not None and call.world.limits.uploads <= 0:
        return UPLOAD_QUOTA.answer()
    digest = call.headers.get("x-vercel-digest") or call.headers.get("x-now-digest", "")
    _check(call, digest)
    kept = place(call.world, call.scope, digest)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(call.content)
    if call.world.limits.uploads is not None:
        call.world.limits.uploads -= 1
    return Answer(body={})


def _check(call: Call, digest: str) -> None:
    if not digest or len(digest) > 40:
        raise Refused(400, "bad_request", "The header `x-vercel-digest` is missing or too long")
    if hashlib.sha1(call.content).hexdigest() != digest.lower():
        raise Refused(400, "bad_request", "File digest does not match the content")
    said = call.headers.get("x-now-size") or call.headers.get("content-length")
    if said != str(len(call.content)):
        raise Refused(400, "bad_request", f"File size is not {said}")
    if call.headers.get("content-type") != "application/octet-stream":
        raise Refused(400, "bad_request", "Content-Type should be application/octet-stream")
