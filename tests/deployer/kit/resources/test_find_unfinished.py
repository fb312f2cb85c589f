"""The deployment of an interrupted deploy is used again, and no other one."""

import datetime as dt

import pytest

from mastra_core.pipeline import Deployment, DeployRequest
from mastra_deployer.kit import find_unfinished

CREATED = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
DRAFT = {"live": False, "draft": True}
BUILDING = {"live": False, "state": "building"}


def build(**fields):
    defaults = {"target": "acme", "id": "1", "url": "", "environment": "production"}
    return Deployment(**{**defaults, "created": CREATED, "fingerprint": "f", **fields})


def find(*items, change_time=None, **options):
    request = DeployRequest(**{"environment": "production", "fingerprint": "f", **options})
    return find_unfinished(items, request, lambda item: item, get_change_time=lambda: change_time)


@pytest.mark.parametrize("fields", [BUILDING, DRAFT], ids=["building", "draft"])
def test_the_newest_of_the_stage_is_found(fields):
    item, preview = build(**fields), build(environment="preview", fingerprint="p")
    assert find(preview, item) is item
    assert find(build(fingerprint="other"), item) is None
    assert find(preview, environment="preview") is None
    assert find(build(fingerprint="", **fields), fingerprint="") is None


@pytest.mark.parametrize("fields", [{}, {"live": False}, {**DRAFT, "state": "failed"}])
def test_a_finished_deployment_is_not_found(fields):
    assert find(build(**fields)) is None


def test_a_draft_has_all_changes_of_variables():
    item = build(**DRAFT)
    assert find(item, change_time=CREATED) is item
    assert find(item, change_time=CREATED + dt.timedelta(seconds=1)) is None
    request = DeployRequest(environment="production", fingerprint="f")
    assert find_unfinished([item], request, lambda each: each) is None


def test_a_draft_has_the_message():
    item = build(**DRAFT, message="one")
    assert find(item) is find(item, message="one") is item
    assert find(item, message="two") is None
