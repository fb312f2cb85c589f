"""The fake: accounts, projects, files and variables."""

import hashlib

import httpx
import pytest

from tests.vercel.fake_client import client_of


@pytest.fixture
def vercel(tmp_path):
    with client_of(tmp_path) as client:
        yield client


def as_token(vercel, token):
    return {"headers": {"authorization": f"Bearer {token}"}}


def test_a_token_says_whose_it_is(vercel):
    user = vercel.ask("GET", "/v2/user")["user"]
    assert (user["username"], user["defaultTeamId"]) == ("tester", "team_acme")


def test_tokens_that_are_wrong_missing_or_of_another_team_are_told_apart(vercel):
    wrong = vercel.error("GET", "/v2/user", 403, **as_token(vercel, "nonsense"))
    assert wrong == {"code": "forbidden", "message": "Not authorized", "invalidToken": True}
    assert httpx.get(f"{vercel.fake.url}/v2/user").json()["error"]["missingToken"] is True
    assert vercel.error("GET", "/v9/projects?teamId=team_globex", 403)["code"] == "forbidden"
    assert vercel.error("GET", "/v2/teams/team_nowhere", 404)["code"] == "not_found"


def test_a_token_limited_to_a_team_touches_no_other(vercel):
    limited = as_token(vercel, vercel.fake.add_token("limited", team="team_globex"))
    vercel.fake.world.teams["team_globex"].members.add("usr_tester")
    assert vercel.ask("GET", "/v2/user", **limited)["user"]["limited"] is True
    vercel.ask("GET", "/v9/projects?slug=globex", **limited)
    vercel.error("GET", "/v9/projects?slug=acme", 403, **limited)


def test_a_team_with_saml_wants_a_token_that_came_through_it(vercel):
    assert vercel.error("GET", "/v9/projects?slug=initech", 403)["saml"] is True
    through = as_token(vercel, vercel.fake.add_token("through", saml=True))
    assert vercel.ask("GET", "/v9/projects?slug=initech", **through)["projects"] == []


@pytest.mark.parametrize("name", ["Shop", "a" * 101, "a---b", "my shop", ""])
def test_project_names_have_rules(vercel, name):
    vercel.error("POST", "/v11/projects", 400, json={"name": name})


def test_a_project_name_is_taken_once_for_each_team(vercel):
    made = vercel.create_project()
    assert vercel.error("POST", "/v11/projects", 409, json={"name": "shop"})["code"] == "conflict"
    found = [vercel.ask("GET", f"/v9/projects/{key}")["id"] for key in ("shop", made["id"])]
    assert found == [made["id"], made["id"]]
    changed = vercel.ask("PATCH", "/v9/projects/shop", json={"ssoProtection": None})
    assert changed["ssoProtection"] is None
    vercel.ask("DELETE", "/v9/projects/shop", 204)
    vercel.error("GET", "/v9/projects/shop", 404)


def test_files_are_kept_by_digest_for_each_owner(vercel):
    vercel.upload(b"one")
    vercel.upload(b"one")
    vercel.upload(b"")
    stored = vercel.fake.world.store / "files" / "team_acme"
    assert {path.name for path in stored.iterdir()} == {
        hashlib.sha1(content).hexdigest() for content in (b"one", b"")
    }


def test_a_file_is_refused_where_digest_or_size_are_wrong(vercel):
    typed = {"content-type": "application/octet-stream"}
    wrong = {"x-vercel-digest": hashlib.sha1(b"two").hexdigest(), **typed}
    vercel.error("POST", "/v2/files", 400, content=b"one", headers=wrong)
    right = {"x-now-digest": hashlib.sha1(b"one").hexdigest(), "x-now-size": "4", **typed}
    vercel.error("POST", "/v2/files", 400, content=b"one", headers=right)


def variable(key, value="1", **more):
    return {"key": key, "value": value, "type": "encrypted", "target": ["production"], **more}


def test_variables_fail_one_by_one_inside_a_success(vercel):
    vercel.create_project()
    items = [
        variable("GOOD"),
        variable("SECRET", type="sensitive", target=["development"]),
        variable("bad-name"),
    ]
    answer = vercel.ask("POST", "/v10/projects/shop/env", 201, json=items)
    assert [item["key"] for item in answer["created"]] == ["GOOD"]
    assert [item["error"]["envVarKey"] for item in answer["failed"]] == ["SECRET", "bad-name"]


def test_a_variable_that_exists_needs_upsert(vercel):
    vercel.create_project()
    path = "/v10/projects/shop/env"
    vercel.ask("POST", path, 201, json=variable("A"))
    assert vercel.error("POST", path, 400, json=variable("A"))["code"] == "ENV_CONFLICT"
    vercel.ask("POST", f"{path}?upsert=true", 201, json=variable("A", "2"))
    wider = variable("A", target=["production", "preview"])
    refused = vercel.error("POST", f"{path}?upsert=true", 400, json=wider)
    assert refused["code"] == "ENV_CONFLICT"
    [kept] = vercel.ask("GET", f"{path}?decrypt=true")["envs"]
    assert kept["value"] == "2"


def test_a_sensitive_value_is_never_shown(vercel):
    vercel.create_project()
    made = vercel.ask(
        "POST", "/v10/projects/shop/env", 201, json=[variable("A", "hush", type="sensitive")]
    )
    known = made["created"][0]["id"]
    shown = vercel.ask("GET", "/v10/projects/shop/env?decrypt=true")
    one = vercel.ask("GET", f"/v1/projects/shop/env/{known}")
    assert "hush" not in f"{made}{shown}{one}"
    plain = {"type": "plain"}
    vercel.error("PATCH", f"/v9/projects/shop/env/{known}", 400, json=plain)


def test_variables_have_64_kb_together(vercel):
    vercel.create_project()
    path = "/v10/projects/shop/env"
    vercel.ask("POST", path, 201, json=variable("A", "x" * 60_000))
    assert "64 KB" in vercel.error("POST", path, 400, json=variable("B", "x" * 6_000))["message"]
    vercel.ask("POST", path, 201, json=variable("B", "x" * 6_000, target=["preview"]))


def test_variables_are_changed_and_removed_one_or_many(vercel):
    vercel.create_project()
    path = "/v10/projects/shop/env"
    made = vercel.ask("POST", path, 201, json=[variable(key) for key in "ABC"])["created"]
    ids = [item["id"] for item in made]
    vercel.ask("PATCH", f"/v9/projects/shop/env/{ids[0]}", json={"value": "3"})
    vercel.ask("DELETE", f"/v9/projects/shop/env/{ids[0]}")
    gone = vercel.ask("DELETE", "/v1/projects/shop/env", json={"ids": [*ids[1:], "nobody"]})
    assert gone["deleted"] == 2
    assert vercel.ask("GET", path)["envs"] == []


def test_custom_environments_are_a_matter_of_the_plan(vercel):
    vercel.create_project()
    path = "/v9/projects/shop/custom-environments"
    vercel.ask("POST", path, 201, json={"slug": "qa"})
    vercel.error("POST", path, 402, json={"slug": "uat"})
    assert [item["slug"] for item in vercel.ask("GET", path)["environments"]] == ["qa"]
