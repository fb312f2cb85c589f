"""A client for the tests of the fake, which deploys as the API documents it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.vercel.fake import FakeVercel

CONFIG = {"version": 3, "routes": [{"handle": "filesystem"}, {"src": "/(.*)", "dest": "/index"}]}
FUNCTION = {"runtime": "python3.12", "handler": "vc__handler__python.vc_handler"}


def make_output(**more: bytes) -> dict[str, bytes]:
    """Return the smallest prebuilt output, with more files of the function by name."""
    function = ".vercel/output/functions/index.func"
    return {
        ".vercel/output/config.json": json.dumps(CONFIG).encode(),
        f"{function}/.vc-config.json": json.dumps(FUNCTION).encode(),
        f"{function}/app.py": b"x = 1\n",
        **{f"{function}/{name}.py": content for name, content in more.items()},
    }


def make_archive(files: Mapping[str, bytes]) -> bytes:
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(tar_bytes.getvalue(), mtime=0)


class Client:
    """Sends requests to a fake, checks the status, and returns the parsed response."""

    def __init__(self, fake: FakeVercel) -> None:
        self.fake = fake
        self.http = httpx.Client(
            base_url=fake.url,
            headers={"authorization": f"Bearer {fake.token}"},
            timeout=30,
            trust_env=False,
        )

    def request(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        response = self.http.request(method, path, **options)
        assert response.status_code == status, (response.status_code, response.text)
        return response.json() if response.content else None

    def request_error(self, method: str, path: str, status: int, **options: Any) -> dict[str, Any]:
        return self.request(method, path, status, **options)["error"]

    def create_project(self, name: str = "shop", **settings: Any) -> dict[str, Any]:
        return self.request("POST", "/v11/projects", json={"name": name, **settings})

    def upload(self, content: bytes, status: int = 200) -> str:
        digest = hashlib.sha1(content).hexdigest()
        headers = {"x-vercel-digest": digest, "content-type": "application/octet-stream"}
        self.request("POST", "/v2/files", status, content=content, headers=headers)
        return digest

    def create_deployment(
        self, files: Mapping[str, bytes], status: int = 200, **fields: Any
    ) -> Any:
        entries = [
            {"file": name, "sha": hashlib.sha1(b).hexdigest(), "size": len(b), "mode": 0o100644}
            for name, b in files.items()
        ]
        query = {"prebuilt": 1, "forceNew": 1, "skipAutoDetectionConfirmation": 1}
        body = {"name": "shop", "project": "shop", "files": entries, **fields}
        return self.request("POST", "/v13/deployments", status, params=query, json=body)

    def deploy(self, files: Mapping[str, bytes] | None = None, **fields: Any) -> dict[str, Any]:
        """Upload the files, create a deployment, and poll it until it is finished."""
        contents = make_output() if files is None else files
        for content in contents.values():
            self.upload(content)
        return self.poll_deployment(self.create_deployment(contents, **fields)["id"])

    def poll_deployment(self, id: str) -> dict[str, Any]:
        for _ in range(6):
            item = self.request("GET", f"/v13/deployments/{id}")
        return item

    def wait_for_alias(self, project: str = "shop") -> dict[str, Any]:
        for _ in range(3):
            item = self.request("GET", f"/v9/projects/{project}", params={"rollbackInfo": "true"})
        return item["lastAliasRequest"]


@contextlib.contextmanager
def open_client(store: Path, **options: Any) -> Iterator[Client]:
    """Start a fake and open a client for it."""
    fake = FakeVercel(store, **options)
    client = Client(fake)
    try:
        yield client
    finally:
        client.http.close()
        fake.stop()
