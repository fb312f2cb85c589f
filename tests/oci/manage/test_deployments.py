"""Promote, roll back, list and destroy: tags move, and nothing is sent."""

import json
import shutil

import httpx
import pytest

from tests.oci.registries import run_skopeo

pytestmark = pytest.mark.slow

INDEX = "src/mastra/index.py"


@pytest.mark.full
def test_each_rollback_goes_back_one_release(bundles, run, deploy, live, proxy):
    first, second, third = (deploy(bundle, "--prod") for bundle in bundles)
    assert live() == third
    proxy.requests.clear()
    run("rollback").ok()
    assert live() == second
    run("rollback").ok()
    assert live() == first
    run("rollback").failed(6, "no earlier deployment in production")
    assert live() == first
    run("rollback", third).ok()
    assert live() == third
    run("rollback").ok()
    assert live() == first, "back to where that one was called"
    assert proxy.count_blob_bytes() == 0


def test_promotion_can_be_rolled_back(bundles, run, deploy, live, proxy):
    first = deploy(bundles[0], "--prod")
    second = deploy(bundles[1], "--preview", "--branch", "Feature/Ü")
    assert live() == first
    previews = [tag for tag in _list_tags(proxy) if tag.startswith("preview-feature")]
    assert len(previews) == 1 and live(previews[0]) == second
    proxy.requests.clear()
    run("promote", second).ok()
    assert live() == second and proxy.count_blob_bytes() == 0
    proxy.requests.clear()
    run("promote", second).ok()
    assert not proxy.list_paths("PUT"), "promoting what is live changes nothing"
    run("rollback").ok()
    assert live() == first
    run("promote", "mastra-000000000000").failed(6, "no deployment 'mastra-000000000000'")


def _list_tags(proxy):
    output = run_skopeo("list-tags", "--tls-verify=false", f"docker://{proxy.host}/team/app")
    return json.loads(output)["Tags"]


def test_an_unpublished_image_is_promoted_and_not_rolled_back_to(bundles, run, deploy, live):
    first = deploy(bundles[0], "--prod")
    draft = deploy(bundles[1], "--prod", "--no-promote")
    assert live() == first
    run("rollback", draft).failed(6, "was never in production", "mastra promote")
    run("promote", draft).ok()
    assert live() == draft
    run("rollback").ok()
    assert live() == first


def test_deployments_are_listed(bundles, run, deploy):
    assert run("deployments", "--json").ok().json["deployments"] == []
    first = deploy(bundles[0], "--prod", "--message", "the first")
    second = deploy(bundles[1], "--prod", "--message", "the second")
    third = deploy(bundles[2], "--preview", "--branch", "feature")
    deployments = run("deployments", "--json").ok().json["deployments"]
    assert [item["id"] for item in deployments] == [third, second, first]
    assert [item["live"] for item in deployments] == [True, True, False]
    assert [item["environment"] for item in deployments] == ["preview", "production", "production"]
    assert [item["message"] for item in deployments[1:]] == ["the second", "the first"]
    run("rollback").ok()
    deployments = run("deployments", "--json").ok().json["deployments"]
    assert [(item["id"], item["live"]) for item in deployments[1:]] == [
        (second, False),
        (first, True),
    ]
    assert len(run("deployments", "--limit", "1", "--json").ok().json["deployments"]) == 1


@pytest.mark.full
def test_deploy_interrupted_before_tagging_is_not_live(bundles, run, deploy, live, proxy):
    first = deploy(bundles[0], "--prod")
    proxy.should_break = lambda method, path, number: method == "PUT" and path.endswith("/latest")
    run("deploy", "--prebuilt", bundles[1], "--prod").failed(8, "cannot be reached")
    proxy.should_break = lambda method, path, number: False
    assert live() == first
    assert [item["live"] for item in run("deployments", "--json").ok().json["deployments"]] == [
        False,
        True,
    ]
    run("rollback").failed(6, "no earlier deployment in production")
    proxy.requests.clear()
    second = deploy(bundles[1], "--prod")
    assert live() == second and proxy.count_blob_bytes() == 0
    run("rollback").ok()
    assert live() == first


def test_destroy_removes_only_mastra_manifests(bundles, run, deploy, proxy, registry):
    deploy(bundles[0], "--prod")
    deploy(bundles[1], "--preview")
    image = f"docker://{proxy.host}/team/app"
    run_skopeo(
        "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--format=v2s2",
        f"{image}:latest", f"{image}:mine",
    )  # fmt: skip
    run("destroy", "--yes").ok()
    assert _list_tags(proxy) == ["mine"]
    assert run("deployments", "--json").ok().json["deployments"] == []


def test_stages_of_one_repository_are_separate(bundles, run, deploy, live, proxy):
    staging = ["-s", "tag=staging"]
    first = deploy(bundles[0], "--prod")
    second = deploy(bundles[1], "--prod", *staging)
    assert deploy(bundles[0], "--prod", *staging) == first
    assert [item["id"] for item in _list_deployments(run)] == [first]
    run("destroy", "--yes", *staging).ok()
    assert live() == first
    assert second not in _list_tags(proxy), "it was in staging only"
    assert _list_deployments(run, *staging) == []
    assert [(item["id"], item["live"]) for item in _list_deployments(run)] == [(first, True)]


def test_a_repeated_deploy_writes_no_record(bundles, run, deploy, live, proxy):
    """Also where another stage has the same image, so that its record is newer."""
    first = deploy(bundles[0], "--prod")
    assert deploy(bundles[0], "--prod", "-s", "tag=staging") == first
    tags = _list_tags(proxy)
    proxy.requests.clear()
    assert deploy(bundles[0], "--prod") == first == live()
    assert ("PUT", "/v2/team/app/manifests/latest") not in [each[:2] for each in proxy.requests]
    assert _list_tags(proxy) == tags


def test_an_interrupted_destroy_of_a_stage_is_repeated(bundles, run, deploy, proxy):
    staging = ["-s", "tag=staging"]
    deploy(bundles[0], "--prod")
    deploy(bundles[0], "--prod", *staging)
    proxy.should_break = lambda method, path, _: method == "DELETE" and path.endswith("staging")
    assert run("destroy", "--yes", *staging).code in (6, 8)
    proxy.should_break = lambda method, path, number: False
    first = len(proxy.requests)
    run("destroy", "--yes", *staging).ok()
    sent = [(method, path) for method, path, _ in proxy.requests[first:]]
    assert ("DELETE", "/v2/team/app/manifests/staging") in sent


def test_a_draft_is_not_merged_into_the_live_image(bundles, run, deploy, proxy):
    deploy(bundles[0], "--prod")
    proxy.requests.clear()
    draft = ("--prod", "--no-promote", "-s", "merge=true")
    run("deploy", "--prebuilt", bundles[1], *draft).failed(2, "must not change this tag")
    assert not [method for method, *_ in proxy.requests if method in ("PUT", "POST", "PATCH")]


def _list_deployments(run, *options):
    return run("deployments", *options, "--json").ok().json["deployments"]


def test_a_tag_of_another_tool_is_reported(bundles, run, proxy):
    from tests.oci.base_images import push_base

    push_base(proxy.host, "team/app", "latest", {"amd64": {}})
    done = run("deploy", "--prebuilt", bundles[0], "--prod").ok()
    assert "team/app:latest exists, and was deployed by another tool." in done.err
    assert "Its digest is sha256:" in done.err
    assert "another tool" not in run("deploy", "--prebuilt", bundles[1], "--prod").ok().err


def test_destroy_keeps_the_tag_of_another_tool(bundles, run, deploy, proxy):
    from tests.oci.base_images import push_base

    deploy(bundles[0], "--prod")
    push_base(proxy.host, "team/app", "latest", {"amd64": {}})
    proxy.requests.clear()
    assert "remains" not in run("destroy", "--yes").ok().err
    deletions = [path for method, path, _ in proxy.requests if method == "DELETE"]
    assert deletions, "the own image is deleted"
    assert not [path for path in deletions if path.endswith("/latest")]
    assert _list_tags(proxy) == ["latest"]


def test_destroy_reports_a_registry_without_delete(bundles, run, deploy, registry):
    deploy(bundles[0], "--prod")
    registry.kill()
    text = registry.config.read_text()
    registry.config.write_text(text.replace("enabled: true", "enabled: false"))
    registry.start()
    run("destroy", "--yes").failed(6, "does not allow deleting", "configuration")


@pytest.mark.full
def test_second_platform_is_merged(mastra, run, deploy, proxy, project, echo, oci):  # fixtures
    root = project({INDEX: echo})
    arm = ["--platform", "aarch64-manylinux_2_28"]
    with_base = oci(proxy.host, base=f"{proxy.host}/base/python:both")
    _push_bases(proxy, root)
    with_base("deploy", "--prod", cwd=root).ok()
    first = _fetch_manifest(proxy)
    assert "manifests" not in first
    with_base("deploy", "--prod", "-smerge=true", *arm, cwd=root).ok()
    both = _fetch_manifest(proxy)["manifests"]
    assert [item["platform"]["architecture"] for item in both] == ["amd64", "arm64"]
    with_base("deploy", "--prod", "-smerge=true", cwd=root).ok()
    assert _fetch_manifest(proxy)["manifests"] == both
    (root / INDEX).write_text(echo.replace("echo: {", "changed: {"))
    with_base("deploy", "--prod", "-smerge=true", *arm, cwd=root).failed(
        6, "another version of the app", "without -s merge=true"
    )
    with_base("deploy", "--prod", *arm, cwd=root).ok()
    assert _fetch_manifest(proxy)["config"]
    with_base("rollback", cwd=root).ok()
    assert _fetch_manifest(proxy)["manifests"] == both


def _fetch_manifest(proxy, tag="latest"):
    kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
    url = f"http://{proxy.host}/v2/team/app/manifests/{tag}"
    return httpx.get(url, headers={"accept": kinds}, trust_env=False).json()


def _push_bases(proxy, root):
    """Push a base image for two platforms, made of one small layer."""
    from tests.oci.base_images import push_base

    push_base(proxy.host, "base/python", "both", {"amd64": {}, "arm64": {}})
    shutil.rmtree(root / ".mastra-local", ignore_errors=True)
