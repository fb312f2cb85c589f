"""The fake: what production's users see, and how that changes."""

import pytest

from tests.vercel.fake_client import client_of

STAGES = [{"targetPercentage": share} for share in (10, 50, 100)]


@pytest.fixture
def vercel(tmp_path):
    with client_of(tmp_path) as client:
        client.create_project()
        yield client


def deploy_two(vercel):
    return [vercel.deploy(target="production")["id"] for _ in range(2)]


def live(vercel):
    return vercel.fake.live_deployment("production").id


def test_promoting_is_asked_for_and_then_watched(vercel):
    first, second = deploy_two(vercel)
    vercel.ask("POST", f"/v10/projects/shop/promote/{first}", 201, json={})
    states = []
    while live(vercel) == second:
        project = vercel.ask("GET", "/v9/projects/shop?rollbackInfo=true")
        states.append(project["lastAliasRequest"]["jobStatus"])
    assert states == ["in-progress", "succeeded"]
    assert live(vercel) == first


def test_only_a_ready_production_deployment_is_promoted(vercel):
    deploy_two(vercel)
    preview = vercel.deploy()["id"]
    vercel.error("POST", f"/v10/projects/shop/promote/{preview}", 422, json={})
    vercel.error("POST", f"/v10/projects/shop/promote/{live(vercel)}", 409, json={})
    vercel.error("POST", "/v10/projects/shop/promote/dpl_nothing", 404, json={})


def test_going_back_stages_what_comes_next_until_something_is_promoted(vercel):
    first, _ = deploy_two(vercel)
    vercel.ask("POST", f"/v9/projects/shop/rollback/{first}", 201, json={})
    assert vercel.wait_for_alias()["type"] == "rollback"
    assert live(vercel) == first
    third = vercel.deploy(target="production")
    assert (third["readySubstate"], live(vercel)) == ("STAGED", first)
    vercel.ask("POST", f"/v10/projects/shop/promote/{third['id']}", 201, json={})
    vercel.wait_for_alias()
    assert live(vercel) == third["id"]
    assert vercel.deploy(target="production")["aliasAssigned"] is True


def test_hobby_goes_back_one_step_and_no_further(vercel):
    first, second = deploy_two(vercel)
    vercel.deploy(target="production")
    vercel.fake.set_plan("hobby")
    vercel.error("POST", f"/v9/projects/shop/rollback/{first}", 402, json={})
    listed = vercel.ask("GET", "/v6/deployments?projectId=shop&rollbackCandidate=true")
    assert [item["uid"] for item in listed["deployments"]] == [second]
    vercel.ask("POST", f"/v1/projects/shop/rollback/{second}", 201)
    vercel.wait_for_alias()
    assert live(vercel) == second


def test_what_never_was_live_cannot_be_gone_back_to(vercel):
    vercel.deploy()
    staged = vercel.deploy(target="production", autoAssignCustomDomains=False)["id"]
    vercel.error("POST", f"/v1/projects/shop/rollback/{staged}", 422)


def test_a_failing_promotion_says_which_alias(vercel):
    first, second = deploy_two(vercel)
    vercel.fake.world.alias_fails = True
    vercel.ask("POST", f"/v10/projects/shop/promote/{first}", 201, json={})
    assert vercel.wait_for_alias()["jobStatus"] == "failed"
    failed = vercel.ask("GET", "/v9/projects/shop/promote/aliases?failedOnly=true&limit=20")
    assert [item["status"] for item in failed["aliases"]] == ["failed"]
    assert live(vercel) == second


def roll(vercel, **config):
    told = {"enabled": True, "advancementType": "manual-approval", "stages": STAGES, **config}
    vercel.ask("PATCH", "/v1/projects/shop/rolling-release/config", json=told)


def step(vercel, verb, canary, status=200, **told):
    path = f"/v1/projects/shop/rolling-release/{verb}"
    return vercel.ask("POST", path, status, json={"canaryDeploymentId": canary, **told})


def test_a_rolling_release_goes_from_stage_to_stage(vercel):
    first = vercel.deploy()["id"]
    roll(vercel)
    second = vercel.deploy(target="production")
    assert (second["readySubstate"], second["aliasAssigned"]) == ("ROLLING", False)
    canary = second["id"]
    assert vercel.fake.traffic() == {canary: 10, first: 90}
    step(vercel, "start", canary)  # it is one still
    step(vercel, "approve-stage", canary, 409, nextStageIndex=2)
    step(vercel, "approve-stage", canary, nextStageIndex=1)
    assert vercel.fake.traffic() == {canary: 50, first: 50}
    release = step(vercel, "complete", canary)["rollingRelease"]
    assert (release["state"], vercel.fake.traffic()) == ("COMPLETE", {canary: 100})


def test_a_rolling_release_is_ended_by_going_back_to_the_current_one(vercel):
    first = vercel.deploy()["id"]
    roll(vercel)
    vercel.deploy(target="production")
    vercel.ask("POST", f"/v9/projects/shop/rollback/{first}", 201, json={})
    release = vercel.ask("GET", "/v1/projects/shop/rolling-release")["rollingRelease"]
    assert (release["state"], vercel.fake.traffic()) == ("ABORTED", {first: 100})


def test_a_promotion_waits_for_the_rolling_release_before_it(vercel):
    vercel.deploy()
    roll(vercel)
    second = vercel.deploy(target="production")["id"]
    third = vercel.deploy(target="production")["id"]
    vercel.ask("POST", f"/v10/projects/shop/promote/{third}", 202, json={})
    step(vercel, "complete", second)
    assert vercel.fake.traffic() == {third: 10, second: 90}


def test_rolling_releases_need_a_plan_and_sound_stages(vercel):
    path = "/v1/projects/shop/rolling-release/config"
    odd = {"enabled": True, "advancementType": "automatic", "stages": STAGES}
    vercel.error("PATCH", path, 400, json=odd)
    vercel.error("PATCH", path, 400, json={**odd, "stages": STAGES[:1]})
    vercel.fake.set_plan("hobby")
    vercel.error("PATCH", path, 403, json=odd)
