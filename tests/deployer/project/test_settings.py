"""Sources and types of a deployer's settings."""

import dataclasses
import sys
from collections.abc import Mapping
from typing import ClassVar

import pytest

from mastra_core import Secret
from mastra_core.errors import ConfigError, PluginError
from mastra_core.pipeline import TargetLimits
from mastra_deployer.project.deployer_argument import EnvReference
from mastra_deployer.project.settings import (
    collect_credentials,
    find_plaintext_secrets,
    list_project_values,
    merge_settings,
    remove_secrets,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cloud:
    target: ClassVar[str] = "cloud"
    app: str
    size: int = 1
    regions: tuple[str, ...] = ()
    edge: bool = False
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    crons: tuple[Mapping[str, str], ...] | None = None
    limits: TargetLimits | None = None
    name: str | list[str] = ""
    token: Secret | None = dataclasses.field(default=None, metadata={"env": "CLOUD_TOKEN"})
    team: str = dataclasses.field(default="", metadata={"env": "CLOUD_TEAM"})


def merge(flags=None, environ=None, table=None, entry=None):
    return merge_settings(
        Cloud, flags=flags or {}, environ=environ or {}, table=table or {}, entry=entry or {}
    )


def test_precedence_of_setting_sources():
    layers = {"entry": {"app": "e", "team": "e", "size": 2}, "table": {"team": "t", "app": "t"}}
    assert merge(**layers) == Cloud(app="t", team="t", size=2)
    assert merge(**layers, environ={"CLOUD_TEAM": "p"}).team == "p"
    assert merge(**layers, environ={"CLOUD_TEAM": "p"}, flags={"team": "f"}).team == "f"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ending:
    target: ClassVar[str] = "ending"

    def __post_init__(self):
        sys.exit(0)


def test_settings_that_exit_are_a_defect_of_their_deployer():
    with pytest.raises(PluginError, match="Ending cannot be created: SystemExit: 0"):
        merge_settings(Ending, flags={}, environ={}, table={}, entry={})


def test_flags_are_converted_to_the_fields_types():
    found = merge(flags={"app": "a", "size": "3", "edge": "true"})
    assert (found.size, found.edge) == (3, True)
    assert merge(table={"app": "a", "regions": ["fra1", "iad1"]}).regions == ("fra1", "iad1")
    assert merge(flags={"app": "a", "regions": '["fra1"]'}).regions == ("fra1",)
    assert merge(flags={"app": "a", "labels": '{"x": "1"}'}).labels == {"x": "1"}
    assert merge(flags={"app": "a", "crons": '[{"path": "/"}]'}).crons == ({"path": "/"},)
    assert merge(flags={"app": "a", "limits": '{"size": 3}'}).limits == TargetLimits(size=3)
    assert merge(flags={"app": "a", "name": '["x"]'}).name == '["x"]'
    with pytest.raises(ConfigError, match=r"size \(-s\) has a wrong value: Expected `int`"):
        merge(flags={"app": "a", "size": "big"})
    with pytest.raises(ConfigError, match=r"regions \(-s\) has a wrong value: it is not JSON"):
        merge(flags={"app": "a", "regions": "fra1"})
    with pytest.raises(ConfigError, match=r"size \(pyproject.toml\) has a wrong value"):
        merge(table={"app": "a", "size": "big"})


def test_unknown_and_missing_settings():
    with pytest.raises(ConfigError, match="Did you mean 'app'"):
        merge(flags={"ap": "x"})
    with pytest.raises(ConfigError, match="needs app"):
        merge()


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_text_is_no_value_of_a_required_setting(text):
    for layer in ({"flags": {"app": text}}, {"table": {"app": text}}, {"entry": {"app": text}}):
        with pytest.raises(ConfigError, match=r"Cloud needs app\."):
            merge(**layer)
    assert merge(flags={"app": "a", "team": text}).team == text, "an optional one may be emptied"


def test_references_are_resolved_from_the_environment():
    found = merge(
        entry={"app": EnvReference(name="APP", default="d"), "token": EnvReference(name="T")}
    )
    assert (found.app, found.token) == ("d", None)
    found = merge(
        entry={"app": EnvReference(name="APP"), "token": EnvReference(name="T")},
        environ={"APP": "a", "T": "secret"},
    )
    assert (found.app, found.token) == ("a", Secret("secret"))


def test_credentials_come_from_settings_or_environment_and_bundles_get_none():
    found = merge(flags={"app": "a"}, entry={"token": "mine"})
    assert collect_credentials(("CLOUD_TOKEN", "OTHER"), found, {"OTHER": "o"}) == {
        "CLOUD_TOKEN": Secret("mine"),
        "OTHER": Secret("o"),
    }
    assert remove_secrets(found).token is None
    assert collect_credentials(("CLOUD_TOKEN",), merge(flags={"app": "a"}), {}) == {}


def test_plaintext_secrets_are_found():
    given = {"token": "mine", "app": "a"}
    assert find_plaintext_secrets(Cloud, given) == ["token"]
    assert find_plaintext_secrets(Cloud, {"token": EnvReference(name="T")}) == []
    assert find_plaintext_secrets(Cloud, {"token": Secret("mine")}) == ["token"]


def test_bundling_resolves_no_references():
    found = merge_settings(
        Cloud,
        flags={},
        environ={"APP": "a", "T": "secret"},
        table={},
        entry={"app": EnvReference(name="APP"), "token": EnvReference(name="T"), "size": 2},
        resolve=False,
    )
    assert (found.app, found.token, found.size) == (None, None, 2)


def test_empty_variable_counts_as_unset():
    entry = {"app": "a", "token": EnvReference(name="T")}
    assert merge(entry=entry, environ={"T": "", "CLOUD_TOKEN": ""}).token is None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Region:
    target: ClassVar[str] = "region"
    region: str = dataclasses.field(default="", metadata={"env": ("FIRST", "SECOND")})
    key: Secret | None = dataclasses.field(default=None, metadata={"env": ("KEY", "OLD_KEY")})
    api_url: str = dataclasses.field(
        default="", metadata={"env": "API_URL", "default": "https://{region}.cloud.example"}
    )


def merge_region(**environ):
    return merge_settings(Region, flags={}, environ=environ, table={}, entry={})


def test_the_first_of_several_variables_counts():
    assert merge_region(FIRST="a", SECOND="b").region == "a"
    assert merge_region(FIRST=" ", SECOND="b").region == "b"
    settings = merge_region(OLD_KEY="k")
    assert collect_credentials(("KEY",), settings, {})["KEY"].reveal() == "k"


def test_a_default_may_depend_on_another_setting():
    assert merge_region(FIRST="eu").api_url == "https://eu.cloud.example"
    assert merge_region(FIRST="eu", API_URL="http://127.0.0.1:1").api_url == "http://127.0.0.1:1"
    assert merge_region().api_url == ""
    table = {"region": "eu"}
    settings = merge_settings(Region, flags={}, environ={}, table=table, entry={})
    values = list_project_values(settings, flags={}, user_environ={})
    assert values == {"region": "eu"}, "the project did not write the address"


def test_an_empty_text_counts_as_unset_for_a_derived_default():
    flags = {"region": "eu", "api_url": ""}
    settings = merge_settings(Region, flags=flags, environ={}, table={}, entry={})
    assert settings.api_url == "https://eu.cloud.example"
