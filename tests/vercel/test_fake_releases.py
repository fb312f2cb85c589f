"""The fake: the live deployment, and how it changes."""

import pytest

from tests.vercel.fake_client import open_client

STAGES = [{"targetPercentage": share} for share in (10, 50, 100)]


@pytest.fixture
def vercel(tmp_path):
    with open_client(tmp_path) as client:
        client.create_project()
        yield client


def deploy_two(vercel):
    return [vercel.deploy(target="production")["id"] for _ in range(2)]


def get_live_id(vercel):
    return vercel.fake.find_live_deployment("production").id


def test_promotion_progresses_with_each_poll(vercel):
    first, second = deploy_two(vercel)
    vercel.request("POST", f"/v10/projects/shop/promote/{first}", 201, json={})
    states = []
    while get_live_id(vercel) == second:
        project = vercel.request("GET", "/v9/projects/shop?rollbackInfo=true")
        states.append(project["lastAliasRequest"]["jobStatus"])
    assert states == ["in-progress", "succeeded"]
    assert get_live_id(vercel) == first


def test_only_ready_production_deployments_are_promoted(vercel):
    deploy_two(vercel)
    preview = vercel.deploy()["id"]
    vercel.request_error("POST", f"/v10/projects/shop/promote/{preview}", 422, json={})
    vercel.request_error("POST", f"/v10/projects/shop/promote/{get_live_id(vercel)}", 409, json={})
    vercel.request_error("POST", "/v10/projects/shop/promote/dpl_nothing", 404, json={})


def test_rollback_stages_later_deployments_until_a_promotion(vercel):
    first, _ = deploy_two(vercel)
    vercel.request("POST", f"/v9/projects/shop/rollback/{first}", 201, json={})
    assert vercel.wait_for_alias()["type"] == "rollback"
    assert get_live_id(vercel) == first
    third = vercel.deploy(target="production")
    assert (third["readySubstate"], get_live_id(vercel)) == ("STAGED", first)
    vercel.request("POST", f"/v10/projects/shop/promote/{third['id']}", 201, json={})
    vercel.wait_for_alias()
    assert get_live_id(vercel) == third["id"]
    assert vercel.deploy(target="production")["aliasAssigned"] is True


def test_hobby_plan_rolls_back_one_release_only(vercel):
    first, second = deploy_two(vercel)
    vercel.deploy(target="production")
    vercel.fake.set_plan("hobby")
    vercel.request_error("POST", f"/v9/projects/shop/rollback/{first}", 402, json={})
    candidates = vercel.request("GET", "/v6/deployments?projectId=shop&rollbackCandidate=true")
    assert [item["uid"] for item in candidates["deployments"]] == [second]
    vercel.request("POST", f"/v1/projects/shop/rollback/{second}", 201)
    vercel.wait_for_alias()
    assert get_live_id(vercel) == second


def test_rollback_requires_a_formerly_live_deployment(vercel):
    vercel.deploy()
    staged = vercel.deploy(target="production", autoAssignCustomDomains=False)["id"]
    vercel.request_error("POST", f"/v1/projects/shop/rollback/{staged}", 422)


def test_failed_promotion_lists_its_aliases(vercel):
    first, second = deploy_two(vercel)
    vercel.fake.platform.fails_alias_requests = True
    vercel.request("POST", f"/v10/projects/shop/promote/{first}", 201, json={})
    assert vercel.wait_for_alias()["jobStatus"] == "failed"
    aliases = vercel.request("GET", "/v9/projects/shop/promote/aliases?failedOnly=true&limit=20")
    assert [item["status"] for item in aliases["aliases"]] == ["failed"]
    assert get_live_id(vercel) == second


def configure_rolling_release(vercel, **config):
    body = {"enabled": True, "advancementType": "manual-approval", "stages": STAGES, **config}
    vercel.request("PATCH", "/v1/projects/shop/rolling-release/config", json=body)


def advance_release(vercel, verb, canary, status=200, **body):
    path = f"/v1/projects/shop/rolling-release/{verb}"
    return vercel.request("POST", path, status, json={"canaryDeploymentId": canary, **body})


def test_rolling_release_advances_by_stages(vercel):
    first = vercel.deploy()["id"]
    configure_rolling_release(vercel)
    second = vercel.deploy(target="production")
    assert (second["readySubstate"], second["aliasAssigned"]) == ("ROLLING", False)
    canary = second["id"]
    assert vercel.fake.get_traffic() == {canary: 10, first: 90}
    advance_release(vercel, "start", canary)  # a repeated start has no effect
    advance_release(vercel, "approve-stage", canary, 409, nextStageIndex=2)
    advance_release(vercel, "approve-stage", canary, nextStageIndex=1)
    assert vercel.fake.get_traffic() == {canary: 50, first: 50}
    release = advance_release(vercel, "complete", canary)["rollingRelease"]
    assert (release["state"], vercel.fake.get_traffic()) == ("COMPLETE", {canary: 100})


def test_rollback_to_the_current_deployment_aborts_a_rolling_release(vercel):
    first = vercel.deploy()["id"]
    configure_rolling_release(vercel)
    vercel.deploy(target="production")
    vercel.request("POST", f"/v9/projects/shop/rollback/{first}", 201, json={})
    release = vercel.request("GET", "/v1/projects/shop/rolling-release")["rollingRelease"]
    assert (release["state"], vercel.fake.get_traffic()) == ("ABORTED", {first: 100})


def test_promotion_is_queued_behind_a_rolling_release(vercel):
    vercel.deploy()
    configure_rolling_release(vercel)
    second = vercel.deploy(target="production")["id"]
    third = vercel.deploy(target="production")["id"]
    vercel.request("POST", f"/v10/projects/shop/promote/{third}", 202, json={})
    advance_release(vercel, "complete", second)
    assert vercel.fake.get_traffic() == {third: 10, second: 90}


def test_rolling_releases_require_a_plan_and_valid_stages(vercel):
    path = "/v1/projects/shop/rolling-release/config"
    odd = {"enabled": True, "advancementType": "automatic", "stages": STAGES}
    vercel.request_error("PATCH", path, 400, json=odd)
    vercel.request_error("PATCH", path, 400, json={**odd, "stages": STAGES[:1]})
    vercel.fake.set_plan("hobby")
    vercel.request_error("PATCH", path, 403, json=odd)
