"""The fake: accounts, projects, files and variables."""

import hashlib

import httpx
import pytest

from tests.vercel.fake_client import open_client


@pytest.fixture
def vercel(tmp_path):
    with open_client(tmp_path) as client:
        yield client


def make_headers(vercel, token):
    return {"headers": {"authorization": f"Bearer {token}"}}


def test_token_identifies_its_user(vercel):
    user = vercel.request("GET", "/v2/user")["user"]
    assert (user["username"], user["defaultTeamId"]) == ("tester", "team_acme")


def test_wrong_missing_and_foreign_tokens_are_distinguished(vercel):
    wrong = vercel.request_error("GET", "/v2/user", 403, **make_headers(vercel, "nonsense"))
    assert wrong == {"code": "forbidden", "message": "Not authorized", "invalidToken": True}
    assert httpx.get(f"{vercel.fake.url}/v2/user").json()["error"]["missingToken"] is True
    assert (
        vercel.request_error("GET", "/v9/projects?teamId=team_globex", 403)["code"] == "forbidden"
    )
    assert vercel.request_error("GET", "/v2/teams/team_nowhere", 404)["code"] == "not_found"


def test_team_token_is_limited_to_its_team(vercel):
    limited = make_headers(vercel, vercel.fake.add_token("limited", team="team_globex"))
    vercel.fake.platform.teams["team_globex"].members.add("usr_tester")
    assert vercel.request("GET", "/v2/user", **limited)["user"]["limited"] is True
    vercel.request("GET", "/v9/projects?slug=globex", **limited)
    vercel.request_error("GET", "/v9/projects?slug=acme", 403, **limited)


def test_saml_team_requires_a_saml_token(vercel):
    assert vercel.request_error("GET", "/v9/projects?slug=initech", 403)["saml"] is True
    through = make_headers(vercel, vercel.fake.add_token("through", saml=True))
    assert vercel.request("GET", "/v9/projects?slug=initech", **through)["projects"] == []


@pytest.mark.parametrize("name", ["Shop", "a" * 101, "a---b", "my shop", ""])
def test_invalid_project_names_are_rejected(vercel, name):
    vercel.request_error("POST", "/v11/projects", 400, json={"name": name})


def test_project_names_are_unique_per_team(vercel):
    project = vercel.create_project()
    assert (
        vercel.request_error("POST", "/v11/projects", 409, json={"name": "shop"})["code"]
        == "conflict"
    )
    ids = [vercel.request("GET", f"/v9/projects/{key}")["id"] for key in ("shop", project["id"])]
    assert ids == [project["id"], project["id"]]
    updated = vercel.request("PATCH", "/v9/projects/shop", json={"ssoProtection": None})
    assert updated["ssoProtection"] is None
    vercel.request("DELETE", "/v9/projects/shop", 204)
    vercel.request_error("GET", "/v9/projects/shop", 404)


def test_files_are_stored_by_digest_per_owner(vercel):
    vercel.upload(b"one")
    vercel.upload(b"one")
    vercel.upload(b"")
    directory = vercel.fake.platform.store / "files" / "team_acme"
    assert {path.name for path in directory.iterdir()} == {
        hashlib.sha1(content).hexdigest() for content in (b"one", b"")
    }


def test_file_with_wrong_digest_or_size_is_rejected(vercel):
    content_type = {"content-type": "application/octet-stream"}
    wrong = {"x-vercel-digest": hashlib.sha1(b"two").hexdigest(), **content_type}
    vercel.request_error("POST", "/v2/files", 400, content=b"one", headers=wrong)
    right = {"x-now-digest": hashlib.sha1(b"one").hexdigest(), "x-now-size": "4", **content_type}
    vercel.request_error("POST", "/v2/files", 400, content=b"one", headers=right)


def make_variable(key, value="1", **more):
    return {"key": key, "value": value, "type": "encrypted", "target": ["production"], **more}


def test_variables_fail_individually_inside_a_success(vercel):
    vercel.create_project()
    items = [
        make_variable("GOOD"),
        make_variable("SECRET", type="sensitive", target=["development"]),
        make_variable("bad-name"),
    ]
    response = vercel.request("POST", "/v10/projects/shop/env", 201, json=items)
    assert [item["key"] for item in response["created"]] == ["GOOD"]
    assert [item["error"]["envVarKey"] for item in response["failed"]] == ["SECRET", "bad-name"]


def test_existing_variable_needs_upsert(vercel):
    vercel.create_project()
    path = "/v10/projects/shop/env"
    vercel.request("POST", path, 201, json=make_variable("A"))
    assert (
        vercel.request_error("POST", path, 400, json=make_variable("A"))["code"] == "ENV_CONFLICT"
    )
    vercel.request("POST", f"{path}?upsert=true", 201, json=make_variable("A", "2"))
    wider = make_variable("A", target=["production", "preview"])
    error = vercel.request_error("POST", f"{path}?upsert=true", 400, json=wider)
    assert error["code"] == "ENV_CONFLICT"
    [item] = vercel.request("GET", f"{path}?decrypt=true")["envs"]
    assert item["value"] == "2"


def test_sensitive_value_is_never_returned(vercel):
    vercel.create_project()
    created = vercel.request(
        "POST", "/v10/projects/shop/env", 201, json=[make_variable("A", "hush", type="sensitive")]
    )
    variable_id = created["created"][0]["id"]
    listing = vercel.request("GET", "/v10/projects/shop/env?decrypt=true")
    item = vercel.request("GET", f"/v1/projects/shop/env/{variable_id}")
    assert "hush" not in f"{created}{listing}{item}"
    plain = {"type": "plain"}
    vercel.request_error("PATCH", f"/v9/projects/shop/env/{variable_id}", 400, json=plain)


def test_variables_are_limited_to_64_kb_in_total(vercel):
    vercel.create_project()
    path = "/v10/projects/shop/env"
    vercel.request("POST", path, 201, json=make_variable("A", "x" * 60_000))
    assert (
        "64 KB"
        in vercel.request_error("POST", path, 400, json=make_variable("B", "x" * 6_000))["message"]
    )
    vercel.request("POST", path, 201, json=make_variable("B", "x" * 6_000, target=["preview"]))


def test_variables_are_updated_and_deleted(vercel):
    vercel.create_project()
    path = "/v10/projects/shop/env"
    created = vercel.request("POST", path, 201, json=[make_variable(key) for key in "ABC"])[
        "created"
    ]
    ids = [item["id"] for item in created]
    vercel.request("PATCH", f"/v9/projects/shop/env/{ids[0]}", json={"value": "3"})
    vercel.request("DELETE", f"/v9/projects/shop/env/{ids[0]}")
    response = vercel.request("DELETE", "/v1/projects/shop/env", json={"ids": [*ids[1:], "nobody"]})
    assert response["deleted"] == 2
    assert vercel.request("GET", path)["envs"] == []


def test_custom_environments_depend_on_the_plan(vercel):
    vercel.create_project()
    path = "/v9/projects/shop/custom-environments"
    vercel.request("POST", path, 201, json={"slug": "qa"})
    vercel.request_error("POST", path, 402, json={"slug": "uat"})
    assert [item["slug"] for item in vercel.request("GET", path)["environments"]] == ["qa"]
