"""Tags of a deployment, in fields and in one short text."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mastra_core.pipeline import DeployRequest, Git
from mastra_deployer.kit import DeploymentTags

FINGERPRINT = "0123456789abcdef" * 4
TAGS = DeploymentTags(
    fingerprint=FINGERPRINT, message="Fix the cart", branch="fix/cart", commit="a" * 40
)


def test_tags_are_those_of_the_request():
    request = DeployRequest(
        environment="preview",
        branch="fix/cart",
        message="Fix the cart",
        git=Git(commit="a" * 40, branch="main"),
        fingerprint=FINGERPRINT,
    )
    assert DeploymentTags.from_request(request) == TAGS


@pytest.mark.parametrize("pattern", ["{name}", "mastra.{name}", "mastra{Name}", "mastra-{name}"])
def test_fields_are_read_as_they_were_written(pattern):
    fields = {**TAGS.to_fields(pattern), "other": "1"}
    assert DeploymentTags.from_fields(fields, pattern) == TAGS


def test_the_stored_names_are_stable():
    tags = DeploymentTags(fingerprint="f", message="m")
    assert tags.to_fields("mastra{Name}") == {"mastraFingerprint": "f", "mastraMessage": "m"}
    assert tags.to_fields("mastra.{name}") == {"mastra.fingerprint": "f", "mastra.message": "m"}
    text = tags.to_text()
    assert text == "m [mastra fingerprint=f]"


def test_a_text_that_fits_holds_everything():
    text = TAGS.to_text()
    assert text.startswith("Fix the cart [mastra ")
    assert len(text) <= 256
    assert DeploymentTags.from_text(text) == TAGS


@pytest.mark.parametrize("text", ["Fix the cart", "", "[mastra]", "a [other x=1]", "two\nlines"])
def test_a_text_of_another_tool_is_a_message(text):
    assert DeploymentTags.from_text(text) == DeploymentTags(message=text)


def test_a_message_that_looks_like_tags_changes_no_tag():
    message = "see [mastra fingerprint=evil]"
    tags = DeploymentTags(fingerprint="true", message=message)
    assert DeploymentTags.from_text(tags.to_text()) == tags


@given(message=st.text(), branch=st.text(), limit=st.integers(90, 300))
def test_the_fingerprint_survives_any_message(message, branch, limit):
    tags = DeploymentTags(fingerprint=FINGERPRINT, message=message, branch=branch, commit="c" * 40)
    text = tags.to_text(limit)
    assert len(text.encode()) <= limit
    found = DeploymentTags.from_text(text)
    assert found.fingerprint == FINGERPRINT
    assert found.branch in ("", branch)
    assert " ".join(message.split()).startswith(found.message.removesuffix("\u2026").rstrip())


@pytest.mark.parametrize("limit", [110, 256])
def test_the_stage_is_kept_where_the_commit_is_left_out(limit):
    tags = dataclasses.replace(TAGS, message="m" * 300, branch="b" * 200, stage="production")
    found = DeploymentTags.from_text(tags.to_text(limit))
    assert (found.fingerprint, found.stage) == (FINGERPRINT, "production")
    assert DeploymentTags.from_text(TAGS.to_text()).stage == ""


def test_the_message_is_cut_first_and_the_branch_left_out_next():
    tags = DeploymentTags(fingerprint=FINGERPRINT, message="m" * 300, branch="b" * 200, commit="c")
    found = DeploymentTags.from_text(tags.to_text(256))
    assert (found.branch, found.commit) == ("", "c")
    assert found.message.startswith("mmm") and found.message.endswith("\u2026")


@given(
    message=st.text(st.sampled_from("ab []=") | st.characters(codec="utf-8")),
    limit=st.integers(9, 300),
)
def test_a_message_without_tags_is_the_whole_text(message, limit):
    text = DeploymentTags(message=message).to_text(limit)
    assert len(text.encode()) <= limit
    found = DeploymentTags.from_text(text)
    message = " ".join(message.split())
    assert found == DeploymentTags(message=found.message)
    assert found.message == message or message.startswith(found.message.rstrip("\u2026"))


@pytest.mark.parametrize("ends", range(3))
def test_a_message_that_looks_like_tags_survives_without_tags(ends):
    tags = DeploymentTags(message="m [mastra fingerprint=evil]" + " [mastra]" * ends)
    assert DeploymentTags.from_text(tags.to_text()) == tags


@pytest.mark.parametrize("fingerprint", ["", FINGERPRINT])
def test_text_that_utf8_cannot_encode_is_replaced(fingerprint):
    tags = DeploymentTags(fingerprint=fingerprint, message="a\udce9", branch="b\ud800")
    found = DeploymentTags.from_text(tags.to_text())
    assert (found.message, found.branch) == ("a\ufffd", "b\ufffd")


def test_tags_without_values_are_not_written():
    assert DeploymentTags().to_text() == ""
    assert DeploymentTags(message="m").to_text() == "m"


def test_a_field_without_place_for_the_fingerprint_is_refused():
    with pytest.raises(ValueError, match="too small"):
        TAGS.to_text(60)


@pytest.mark.parametrize("limit", range(60, 160))
def test_the_stage_is_never_left_out(limit):
    tags = dataclasses.replace(TAGS, stage="production")
    try:
        text = tags.to_text(limit)
    except ValueError:
        return
    assert DeploymentTags.from_text(text).stage == "production"
    assert DeploymentTags.from_text(text).fingerprint == TAGS.fingerprint
