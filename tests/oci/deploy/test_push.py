"""A deploy sends only what the registry lacks, and then moves one tag."""

import json

import pytest

from tests.oci.registries import run_skopeo

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"


def list_layers(host, tag="latest"):
    image = json.loads(
        run_skopeo("inspect", "--tls-verify=false", f"docker://{host}/team/app:{tag}")
    )
    return image["Layers"]


@pytest.mark.full
def test_only_changed_layers_are_sent(proxy, oci, project, echo):
    root, run = project({INDEX: echo}), oci(proxy.host)
    first = run("deploy", "--prod", "--json", cwd=root).ok().json["deployment"]
    assert first["live"] and first["environment"] == "production"
    assert proxy.count_blob_bytes() > 10_000_000
    before = list_layers(proxy.host)
    assert len(before) == 3

    proxy.requests.clear()
    second = run("deploy", "--prod", "--json", cwd=root).ok().json["deployment"]
    assert second["id"] == first["id"]
    assert (
        proxy.count_blob_bytes() == 0
        and not proxy.list_paths("PATCH")
        and not proxy.list_paths("POST")
    )
    assert not proxy.list_paths("DELETE")

    (root / INDEX).write_text(echo.replace("echo: {", "changed: {"))
    proxy.requests.clear()
    third = run("deploy", "--prod", "--json", cwd=root).ok().json["deployment"]
    assert third["id"] != first["id"]
    after = list_layers(proxy.host)
    assert after[:2] == before[:2] and after[2] != before[2]
    uploads = [path for path in proxy.list_paths("PUT") if "/blobs/uploads/" in path]
    assert sum(after[2].removeprefix("sha256:") in path for path in uploads) == 1
    assert len(uploads) == 2, "the app's layer and the config"
    assert proxy.count_blob_bytes() < 40_000


def test_dry_run_only_reads(proxy, oci, bundle):
    run = oci(proxy.host)
    plan = run("deploy", "--prebuilt", bundle, "--prod", "--dry-run", "--json").ok().json["plan"]
    assert plan["upload"] > 10_000_000 and plan["present"] == 0
    assert any("dependencies" in line for line in plan["creates"])
    assert any(line.endswith("/team/app:latest") for line in plan["creates"])
    run("deploy", "--prebuilt", bundle, "--prod").ok()
    proxy.requests.clear()
    plan = run("deploy", "--prebuilt", bundle, "--prod", "--dry-run", "--json").ok().json["plan"]
    assert plan["upload"] == 0 and plan["present"] > 10_000_000
    assert plan["creates"] == plan["changes"] == []
    assert {method for method, _, _ in proxy.requests} <= {"GET", "HEAD"}


def test_dry_run_of_a_draft_moves_no_tag(proxy, oci, bundle):
    run = oci(proxy.host)
    draft = ("deploy", "--prebuilt", bundle, "--prod", "--no-promote", "--dry-run")
    plan = run(*draft, "--json").ok().json["plan"]
    assert any("/team/app:mastra-" in line for line in plan["creates"])
    assert not any(line.endswith(":latest") for line in plan["creates"])
    run(*draft, "-s", "merge=true").failed(2, "must not change this tag")


def test_tag_moves_last(proxy, oci, bundle):
    oci(proxy.host)("deploy", "--prebuilt", bundle, "--prod").ok()
    writes = [path for method, path, _ in proxy.requests if method not in ("GET", "HEAD")]
    assert writes[-1].endswith("/manifests/latest")
    assert sum(path.endswith("/manifests/latest") for path in writes) == 1


@pytest.mark.full
def test_images_are_reproducible(start, oci, mastra, project, echo, tmp_path):  # fixtures
    """Another directory, cache and registry; the same bytes."""
    manifests = []
    for name in ("one", "two"):
        registry = start()
        root = project({INDEX: echo}).rename(tmp_path / name)
        run = oci(registry.host, MASTRA_CACHE_DIR=str(tmp_path / f"cache-{name}"))
        run("bundle", "-o", tmp_path / f"out-{name}", cwd=root).ok()
        done = run("deploy", "--prebuilt", tmp_path / f"out-{name}", "--prod", cwd=root).ok()
        image = f"docker://{registry.host}/team/app:latest"
        manifests.append(run_skopeo("inspect", "--raw", "--tls-verify=false", image))
        assert str(tmp_path) not in done.out
    assert manifests[0] == manifests[1]


def test_skip_if_unchanged_queries_the_registry(proxy, oci, bundle, tmp_path):
    run = oci(proxy.host)
    first = run("deploy", "--prebuilt", bundle, "--prod", "--skip-if-unchanged", "--json").ok()
    proxy.requests.clear()
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    second = run(
        "deploy", "--prebuilt", bundle, "--prod", "--skip-if-unchanged", "--json", cwd=directory
    ).ok()
    assert second.json["deployment"]["id"] == first.json["deployment"]["id"]
    assert {method for method, _, _ in proxy.requests} <= {"GET", "HEAD"}


@pytest.mark.parametrize("verb", ["deploy", "doctor"])
def test_an_empty_base_image_is_refused_before_anything_is_sent(proxy, oci, project, echo, verb):
    """Docker's name for no base image cannot be pulled, so a registry's answer would not help."""
    root = project({"src/mastra/index.py": echo})
    run = oci(proxy.host, base="scratch")
    done = run(verb, cwd=root)
    done.failed(2, "base='scratch' is an empty image without a Python", "base=scratch+python")
    assert proxy.requests == []
