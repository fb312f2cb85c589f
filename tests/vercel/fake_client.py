"""What the tests of the fake share: a client that deploys as the API is meant to be used."""

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


def output(**more: bytes) -> dict[str, bytes]:
    """The smallest prebuilt output; more files of the function by name."""
    function = ".vercel/output/functions/index.func"
    return {
        ".vercel/output/config.json": json.dumps(CONFIG).encode(),
        f"{function}/.vc-config.json": json.dumps(FUNCTION).encode(),
        f"{function}/app.py": b"x = 1\n",
        **{f"{function}/{name}.py": content for name, content in more.items()},
    }


def archive(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


class Client:
    """Talks to a fake as a deployer would; `answer.json()` in one word."""

    def __init__(self, fake: FakeVercel) -> None:
        self.fake = fake
        self.http = httpx.Client(
            base_url=fake.url,
            headers={"authorization": f"Bearer {fake.token}"},
            timeout=30,
            trust_env=False,
        )

    def ask(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = self.http.request(method, path, **options)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def error(self, method: str, path: str, status: int, **options: Any) -> dict[str, Any]:
        return self.ask(method, path, status, **options)["error"]

    def create_project(self, name: str = "shop", **settings: Any) -> dict[str, Any]:
        return self.ask("POST", "/v11/projects", json={"name": name, **settings})

    def upload(self, content: bytes, status: int = 200) -> str:
        digest = hashlib.sha1(content).hexdigest()
        headers = {"x-vercel-digest": digest, "content-type": "application/octet-stream"}
        self.ask("POST", "/v2/files", status, content=content, headers=headers)
        return digest

    def announce(self, files: Mapping[str, bytes], status: int = 200, **told: Any) -> Any:
        listed = [
            {"file": name, "sha": hashlib.sha1(b).hexdigest(), "size": len(b), "mode": 0o100644}
            for name, b in files.items()
        ]
        query = {"prebuilt": 1, "forceNew": 1, "skipAutoDetectionConfirmation": 1}
        body = {"name": "shop", "project": "shop", "files": listed, **told}
        return self.ask("POST", "/v13/deployments", status, params=query, json=body)

    def deploy(self, files: Mapping[str, bytes] | None = None, **told: Any) -> dict[str, Any]:
        """Upload, create, and look until it has come to its end."""
        contents = output() if files is None else files
        for content in contents.values():
            self.upload(content)
        return self.watch(self.announce(contents, **told)["id"])

    def watch(self, id: str) -> dict[str, Any]:
        for _ in range(6):
            seen = self.ask("GET", f"/v13/deployments/{id}")
        return seen

    def wait_for_alias(self, project: str = "shop") -> dict[str, Any]:
        for _ in range(3):
            seen = self.ask("GET", f"/v9/projects/{project}", params={"rollbackInfo": "true"})
        return seen["lastAliasRequest"]


@contextlib.contextmanager
def client_of(store: Path, **options: Any) -> Iterator[Client]:
    """A client of a new fake."""
    fake = FakeVercel(store, **options)
    client = Client(fake)
    try:
        yield client
    finally:
        client.http.close()
        fake.stop()
