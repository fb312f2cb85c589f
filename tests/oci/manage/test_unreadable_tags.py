"""A registry that was killed responds with 500 for a tag: deploys go on, and nothing wrong is live."""

import re
import shutil

import pytest

pytestmark = pytest.mark.slow

RECORD = re.compile(r"mastra-\d{8}t\d{9}z-[0-9a-f]{12}")
STAGING = ("-s", "tag=staging")


@pytest.fixture
def manifests(registry):
    """The directory in which the registry has its tags and manifests."""
    return registry.root / "docker/registry/v2/repositories/team/app/_manifests"


@pytest.fixture
def break_newest_record(manifests):
    """Truncate the newest record, as a registry does that is killed while it stores the record."""

    def break_record():
        name = max(path.name for path in (manifests / "tags").iterdir() if RECORD.match(path.name))
        digest = (manifests / f"tags/{name}/current/link").read_text().removeprefix("sha256:")
        (manifests / f"revisions/sha256/{digest}/link").write_bytes(b"")
        return name

    return break_record


def break_tag(manifests, tag):
    (manifests / f"tags/{tag}/current/link").write_bytes(b"")


def test_a_rollback_is_possible_after_the_same_image_is_deployed_again(
    bundles, run, deploy, live, manifests
):
    first, second = (deploy(bundle, "--prod") for bundle in bundles[:2])
    break_tag(manifests, "latest")
    assert deploy(bundles[1], "--prod") == second == live()
    run("rollback").ok()
    assert live() == first


def test_a_rollback_is_possible_after_another_image_is_deployed(
    bundles, run, deploy, live, manifests
):
    first, second = (deploy(bundle, "--prod") for bundle in bundles[:2])
    break_tag(manifests, "latest")
    for command in (("rollback",), ("promote", first), ("destroy", "--yes")):
        run(*command).failed(8, "cannot read", "team/app:latest", "with --prod")
    done = run("deploy", "--prebuilt", bundles[2], "--prod").ok()
    assert "could not read these tags" in done.err and ": latest." in done.err
    run("rollback").ok()
    assert live() == second
    run("rollback").ok()
    assert live() == first


def test_a_preview_or_draft_is_not_the_previous_deployment(bundles, run, deploy, live, manifests):
    first = deploy(bundles[0], "--prod")
    deploy(bundles[1], "--preview")
    deploy(bundles[1], "--prod", "--no-promote")
    break_tag(manifests, "latest")
    deploy(bundles[2], "--prod")
    run("rollback").ok()
    assert live() == first


def test_rollback_from_an_unreadable_record_goes_back_after_a_deploy(
    bundles, run, deploy, live, break_newest_record
):
    """The live image has an older record, whose rollback would go back too far."""
    _, current, previous = (deploy(bundle, "--prod") for bundle in bundles)
    assert deploy(bundles[1], "--prod") == current
    name = break_newest_record()
    run("rollback").failed(8, "cannot read", name, f"Deploy the version '{current}' again")
    assert live() == current
    assert deploy(bundles[1], "--prod") == current
    run("rollback").ok()
    assert live() == previous


def test_rollback_to_an_unreadable_record_is_refused(
    bundles, run, deploy, live, break_newest_record
):
    first, second = (deploy(bundle, "--prod") for bundle in bundles[:2])
    name = break_newest_record()
    done = run("deploy", "--prebuilt", bundles[2], "--prod").ok()
    assert name in done.err and "another tool" not in done.err
    third = live()
    run("rollback").failed(8, "cannot read", name, f"Deploy the version '{second}' again")
    assert live() == third
    run("rollback", first).ok()
    assert live() == first


def test_promotion_of_an_unreadable_record_is_possible_after_a_deploy(
    bundles, run, deploy, live, break_newest_record
):
    first = deploy(bundles[0], "--prod")
    draft = deploy(bundles[1], "--prod", "--no-promote")
    name = break_newest_record()
    run("promote", draft).failed(8, "cannot read", name, f"Deploy the version '{draft}' again")
    assert live() == first
    assert deploy(bundles[1], "--prod", "--no-promote") == draft
    run("promote", draft).ok()
    assert live() == draft


def test_destroy_keeps_the_image_of_a_stage_whose_record_is_unreadable(
    bundles, run, deploy, live, manifests, break_newest_record
):
    image = deploy(bundles[0], "--prod")
    assert deploy(bundles[0], "--prod", *STAGING) == image
    name = break_newest_record()
    refusal = (8, "cannot read", name, f"Deploy the version '{image}' again", "delete the tag")
    run("destroy", "--yes").failed(*refusal)
    assert live() == live("staging") == image
    assert deploy(bundles[0], "--prod", *STAGING) == image
    run("destroy", "--yes").failed(*refusal)
    shutil.rmtree(manifests / "tags" / name)
    run("destroy", "--yes").ok()
    assert live("staging") == image
    assert run("deployments", "--json").ok().json["deployments"] == []
    deployments = run("deployments", *STAGING, "--json").ok().json["deployments"]
    assert [(item["id"], item["live"]) for item in deployments] == [(image, True)]
