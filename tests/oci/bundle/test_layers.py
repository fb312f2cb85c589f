"""The parts of an image, without a registry."""

import datetime as dt
import io
import json
import os
import tarfile

import pytest

from mastra_core import Secret
from mastra_core.errors import AuthError, BundleError, ConfigError
from mastra_deployer.kit import ArchiveEntry, iter_entries
from mastra_deployer_oci.api.bearer_auth import RegistryAuth
from mastra_deployer_oci.api.docker_auth import Login
from mastra_deployer_oci.api.documents import Document, merge_config
from mastra_deployer_oci.api.reference import Reference
from mastra_deployer_oci.api.repository import get_api_url
from mastra_deployer_oci.api.tags import RECORD, build_record_tag, choose_tag, parse_record_time
from mastra_deployer_oci.bundle.image_plan import read_plan
from mastra_deployer_oci.bundle.layer_cache import write_cached_layer
from mastra_deployer_oci.bundle.layers import write_layer


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag"),
    [
        ("python", "docker.io", "library/python", ""),
        ("python:3.12-slim", "docker.io", "library/python", "3.12-slim"),
        ("team/app", "docker.io", "team/app", ""),
        ("docker.io/team/app:1", "docker.io", "team/app", "1"),
        ("ghcr.io/team/app", "ghcr.io", "team/app", ""),
        ("127.0.0.1:5000/app:x", "127.0.0.1:5000", "app", "x"),
        ("localhost/app", "localhost", "app", ""),
        ("[::1]:5000/a/b", "[::1]:5000", "a/b", ""),
    ],
)
def test_references_are_parsed(text, registry, repository, tag):
    reference = Reference.parse(text)
    assert (reference.registry, reference.repository, reference.tag) == (registry, repository, tag)


@pytest.mark.parametrize(
    "text", ["", "registry.example/", "registry.example/Team/app", "a/b:", "a b", "a/b@sha256:12"]
)
def test_invalid_references_are_rejected(text):
    with pytest.raises(ConfigError, match="is not a valid image reference"):
        Reference.parse(text)


def test_plain_http_is_used_on_loopback_only():
    assert get_api_url("127.0.0.1:5000") == "http://127.0.0.1:5000"
    assert get_api_url("[::1]:5000") == "http://[::1]:5000"
    assert get_api_url("registry.example") == "https://registry.example"
    assert get_api_url("docker.io") == "https://registry-1.docker.io"


def test_layer_depends_only_on_names_and_contents(tmp_path):
    layers = []
    for name, mtime in (("one", 1), ("two", 10**9)):
        root = tmp_path / name
        for path in ("b/x.py", "a.py") if mtime == 1 else ("a.py", "b/x.py"):
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(path)
            os.utime(file, (mtime, mtime))
            file.chmod(0o600 if mtime == 1 else 0o664)
        layers.append(write_layer("x", iter_entries(root, "app"), tmp_path / "blobs"))
    assert layers[0] == layers[1]
    with tarfile.open(tmp_path / "blobs" / layers[0].digest[7:]) as archive:
        assert archive.getnames() == ["app", "app/a.py", "app/b", "app/b/x.py"]
        for item in archive:
            assert (item.uid, item.gid, item.mtime, item.uname) == (0, 0, 0, "")
            assert item.mode == (0o755 if item.isdir() else 0o644)


def test_unchanged_layer_is_compressed_once(tmp_path, monkeypatch):
    """A damaged layer of the cache is made again, and old layers are removed."""
    monkeypatch.setenv("MASTRA_CACHE_DIR", str(tmp_path / "cache"))
    entries = [ArchiveEntry(path="app/a", content=b"content" * 1000)]
    written = write_cached_layer("first", entries, tmp_path / "one")
    assert written == write_layer("first", entries, tmp_path / "plain")
    name = written.digest.removeprefix("sha256:")
    (cached,) = (tmp_path / "cache").rglob(name)
    content = cached.read_bytes()
    assert write_cached_layer("second", iter(entries), tmp_path / "two").purpose == "first"
    assert (tmp_path / "two" / name).read_bytes() == content
    cached.write_bytes(content[:-1] + b"x")
    assert write_cached_layer("third", entries, tmp_path / "three").purpose == "third"
    assert (tmp_path / "three" / name).read_bytes() == content == cached.read_bytes()
    for number in range(20):
        other = [ArchiveEntry(path="app/a", content=str(number).encode())]
        write_cached_layer("other", other, tmp_path / "four")
    assert len(list((tmp_path / "cache").rglob("layer.json"))) == 12 and not cached.exists()


def test_links_and_long_names_are_preserved(tmp_path):
    long = "d" * 90 + "/" + "f" * 120
    entries = [
        ArchiveEntry(path=long, content=b"x"),
        ArchiveEntry(path="bin/python", link="python3.12"),
    ]
    layer = write_layer("x", entries, tmp_path)
    content = (tmp_path / layer.digest[7:]).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getmember("bin/python").linkname == "python3.12"
        assert archive.extractfile(long).read() == b"x"


def test_config_is_merged_over_the_base_config():
    base = {
        "architecture": "arm64",
        "variant": "v8",
        "config": {"Env": ["A=1", "B=2"], "Labels": {"x": "1"}, "Entrypoint": ["/wrap"]},
        "rootfs": {"diff_ids": ["sha256:base"]},
    }
    app = {
        "architecture": "arm64",
        "os": "linux",
        "config": {"Env": ["B=3"], "Labels": {"y": "2"}, "Cmd": ["python"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:own"]},
        "history": [{"comment": "app"}],
    }
    config = merge_config(app, base).value
    assert config["config"]["Env"] == ["A=1", "B=3"]
    assert config["config"]["Labels"] == {"x": "1", "y": "2"}
    assert "Entrypoint" not in config["config"] and config["variant"] == "v8"
    assert config["rootfs"]["diff_ids"] == ["sha256:base", "sha256:own"]
    assert len(config["history"]) == 2


def test_documents_are_serialized_deterministically():
    document = Document.from_value({"b": 1, "a": "ä"}, "x")
    assert document == Document.from_value({"a": "ä", "b": 1}, "x")
    assert json.loads(document.content) == document.value


def test_branches_never_share_a_tag():
    names = ["main", "Main", "feature/x", "feature-x", "feature x", "", "ünï", "latest", "-" * 3]
    tags = [choose_tag("latest", "preview", name) for name in names]
    assert len(set(tags)) == len(names)
    assert all(tag.startswith("preview-") and len(tag) <= 128 for tag in tags)
    assert tags[0] == "preview-main" and tags[5] == "preview-local"
    assert choose_tag("stable", "production", "main") == "stable"


def test_records_sort_by_time():
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678000, dt.UTC)
    digest = "sha256:" + "ab" * 32
    name = build_record_tag(moment, digest)
    assert RECORD.fullmatch(name)[1] == "ab" * 6
    assert parse_record_time(name) == moment
    assert name < build_record_tag(moment + dt.timedelta(milliseconds=1), "sha256:" + "00" * 32)


def test_password_is_never_sent_over_plain_http():
    login = Login(username="user", password=Secret("pass-word-4711"), source="test")
    auth = RegistryAuth(login, ["repository:a:pull"])
    with pytest.raises(AuthError, match="without encryption") as raised:
        auth._build_token_request({"realm": "http://tokens.example/token"})
    assert "4711" not in str(raised.value)
    assert "4711" not in repr(login)


def test_bundle_rejects_paths_as_digests(tmp_path):
    layer = {"purpose": "x", "digest": "sha256:../../secret", "diff": "", "size": 1, "unpacked": 1}
    parts = {"base": "", "architecture": "amd64", "layers": [layer], "config": {}, "app": ""}
    (tmp_path / "mastra-image.json").write_text(json.dumps(parts))
    with pytest.raises(BundleError, match="is not a valid digest"):
        read_plan(tmp_path)
