"""Registries that fail, lose responses or are full: nothing goes live, and the next run resumes."""

import collections
import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.oci.registries import Registry, find_program
from tests.sample_projects import ECHO, write_project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(mastra, tmp_path_factory):
    """A bundle that contains its own Python, and whose app is a layer of three chunks."""
    root = write_project(tmp_path_factory.mktemp("outages") / "app", {"src/mastra/index.py": ECHO})
    (root / "src/mastra/data.bin").write_bytes(random.Random(5).randbytes(17 << 20))
    settings = ["-simage=registry.example/team/app", "-sbase=scratch+python"]
    mastra("bundle", "oci", *settings, "-o", root / "out", cwd=root).ok()
    return root / "out"


def test_deploy_resumes_after_registry_restart(proxy, registry, oci, bundle):
    run = oci(proxy.host)
    state = {"layers": 0}

    def kill_registry(method, path, number):
        # The registry dies after the first layer.
        if method == "PUT" and "digest=" in path:
            state["layers"] += 1
        if state["layers"] >= 1 and method == "PATCH" and registry.process.poll() is None:
            registry.kill()
        return False

    proxy.should_break = kill_registry
    run("deploy", "--prebuilt", bundle, "--prod").failed(8, "cannot be reached", "same command")
    proxy.should_break = lambda method, path, number: False
    registry.start()
    assert run("deployments", "--json").ok().json["deployments"] == []
    # A registry that dies while it stores a blob has the file, but does not know the blob.
    stored = [name for name in registry.list_blobs() if has_blob(registry, name)]
    proxy.requests.clear()
    run("deploy", "--prebuilt", bundle, "--prod").ok()
    uploads = [path for path in proxy.list_paths("PUT") if "digest=" in path]
    assert not [path for path in uploads for name in stored if name in path], "sent twice"
    assert len(uploads) + len(stored) >= 4


def test_blob_that_a_killed_registry_cannot_read_is_sent_again(proxy, registry, oci, bundle):
    """A registry that dies while it links a blob leaves an empty link, and responds with 500."""
    run = oci(proxy.host)
    run("deploy", "--prebuilt", bundle, "--prod").ok()
    name = max(registry.list_blobs(), key=lambda name: get_blob_size(registry, name))
    link = registry.root / f"docker/registry/v2/repositories/team/app/_layers/sha256/{name}/link"
    link.write_bytes(b"")
    assert head_blob(registry, name).status_code == 500
    proxy.requests.clear()
    run("deploy", "--prebuilt", bundle, "--prod").ok()
    uploads = [path for path in proxy.list_paths("PUT") if "digest=" in path]
    assert len(uploads) == 1
    assert has_blob(registry, name)


def test_manifests_that_a_killed_registry_cannot_read_are_stored_again(registry, oci, bundle):
    """A registry that dies while it links a manifest leaves an empty link, and responds with 500."""
    run = oci(registry.host)
    deployment = run("deploy", "--prebuilt", bundle, "--prod", "--json").ok().json["deployment"]
    manifests = registry.root / "docker/registry/v2/repositories/team/app/_manifests"
    for link in (*manifests.glob("tags/*/current/link"), *manifests.glob("revisions/*/*/link")):
        link.write_bytes(b"")
    assert get_manifest(registry, "latest").status_code == 500
    assert run("deployments", "--json").ok().json["deployments"] == []
    run("deploy", "--prebuilt", bundle, "--prod", "--dry-run").ok()
    run("deploy", "--prebuilt", bundle, "--prod").ok()
    assert get_manifest(registry, "latest").status_code == 200
    deployments = run("deployments", "--json").ok().json["deployments"]
    assert [(each["id"], each["live"]) for each in deployments] == [(deployment["id"], True)]


def get_manifest(registry, pointer):
    url = f"http://{registry.host}/v2/team/app/manifests/{pointer}"
    accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
    return httpx.get(url, headers={"accept": accept}, trust_env=False)


def has_blob(registry, name):
    return head_blob(registry, name).status_code == 200


def head_blob(registry, name):
    url = f"http://{registry.host}/v2/team/app/blobs/sha256:{name}"
    return httpx.head(url, trust_env=False)


def get_blob_size(registry, name):
    return next(registry.root.glob(f"docker/registry/v2/blobs/*/*/{name}/data")).stat().st_size


def test_lost_responses_and_broken_connections_are_retried(proxy, oci, bundle):
    """Of ten requests, at random, two never arrive, and the response of another one is lost."""
    generator = random.Random(3)
    outcomes = ["arrives", True, True, *[False] * 7]
    proxy.should_break = lambda method, path, number: generator.choice(outcomes)
    run = oci(proxy.host)
    for _ in range(3):
        done = run("deploy", "--prebuilt", bundle, "--prod", "--json")
        if done.code == 0:
            break
    deployment = done.ok().json["deployment"]
    proxy.should_break = lambda method, path, number: False
    deployments = run("deployments", "--json").ok().json["deployments"]
    assert [(item["id"], item["live"]) for item in deployments] == [(deployment["id"], True)]


def test_interrupted_upload_resumes_at_its_offset(proxy, oci, bundle):
    """A chunk that does not arrive is sent again; those before it are not."""
    state = {"chunks": 0}

    def drop_one(method, path, number):
        state["chunks"] += method == "PATCH"
        return method == "PATCH" and state["chunks"] == 3

    proxy.should_break = drop_one
    oci(proxy.host)("deploy", "--prebuilt", bundle, "--prod").ok()
    total = sum(path.stat().st_size for path in (bundle / "blobs/sha256").iterdir())
    chunk = 8 << 20
    assert proxy.count_blob_bytes() <= total + chunk
    status_requests = [path for path in proxy.list_paths("GET") if "/blobs/uploads/" in path]
    assert status_requests, "the registry was asked for the offset"


def test_killed_deploy_resumes_inside_the_layer(proxy, bundle, oci, tmp_path):
    is_held, finished, release = threading.Event(), threading.Semaphore(0), threading.Event()
    chunks = collections.Counter()

    def hold_third_chunk(method, path, number):
        upload = urlsplit(path).path
        chunks[upload] += method == "PATCH"
        # The interpreter's layer may have three chunks, too.
        if method == "PATCH" and chunks[upload] == 3 and not is_held.is_set():
            is_held.set()
            release.wait(60)
            return True
        if "digest=" in path:
            finished.release()
        return False

    proxy.should_break = hold_third_chunk
    settings = [f"-simage={proxy.host}/team/app", "-sbase=scratch+python"]
    command = [Path(sys.executable).with_name("mastra"), "deploy", "oci", *settings]
    cache = {"MASTRA_CACHE_DIR": str(tmp_path / "cache")}
    process = subprocess.Popen(
        [*command, "--prebuilt", str(bundle), "--prod"],
        env={**os.environ, **cache},
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    assert is_held.wait(60)
    for _ in range(3):  # all other layers
        assert finished.acquire(timeout=60)
    process.kill()
    process.wait()
    release.set()
    run = oci(proxy.host, **cache)
    assert run("deployments", "--json").ok().json["deployments"] == []
    run("deploy", "--prebuilt", bundle, "--prod").ok()
    total = sum(path.stat().st_size for path in (bundle / "blobs/sha256").iterdir())
    chunk = 8 << 20  # the chunk that did not arrive
    assert proxy.count_blob_bytes() <= total + chunk
    assert not list((tmp_path / "cache" / "oci-uploads").iterdir())


@pytest.fixture
def small_disk(tmp_path):
    """A small file system of its own."""
    directory = tmp_path / "small"
    directory.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    mount = subprocess.run(
        [find_program("mount"), "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(directory)],
        check=False,
        capture_output=True,
    )
    if mount.returncode:
        pytest.skip("mounting is not allowed here")
    yield directory
    subprocess.run([find_program("umount"), "--lazy", str(directory)], check=True)


def test_full_disk_at_the_registry(small_disk, oci, bundle, tmp_path):
    registry = Registry(tmp_path, root=small_disk / "store").start()
    try:
        run = oci(registry.host)
        done = run("deploy", "--prebuilt", bundle, "--prod")
        done.failed(8, "rejected the", "may be full", "to resume")
        assert run("deployments", "--json").ok().json["deployments"] == []
        subprocess.run(
            [find_program("mount"), "-o", "remount,size=200m", str(small_disk)], check=True
        )
        run("deploy", "--prebuilt", bundle, "--prod").ok()
    finally:
        registry.kill()
