"""The check against Netlify's swagger finds what is wrong."""

import dataclasses

from tests.netlify.fake.contract import find_violations
from tests.platform_fakes.recorded_request import RecordedRequest

DEPLOY = RecordedRequest(
    method="POST",
    path="/api/v1/sites/1/deploys",
    query={"title": ["x"]},
    headers=(),
    size=0,
    status=200,
    body={"files": {}, "draft": True},
    response={"id": "1", "required": []},
)


def test_the_contract_accepts_what_is_documented():
    assert find_violations([DEPLOY]) == []


def test_the_contract_finds_each_kind_of_violation():
    changes = [
        {"path": "/api/v1/sites/1/nothing"},
        {"query": {"name": ["x"]}},
        {"body": {"drafty": True}},
        {"body": {"draft": "yes"}},
        {"response": {"id": 1}},
        {"response": {"identifier": "1"}},
        {"status": 201},
    ]
    for change in changes:
        assert find_violations([dataclasses.replace(DEPLOY, **change)]), change
