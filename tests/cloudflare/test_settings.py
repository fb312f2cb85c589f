"""The settings are checked offline against Cloudflare's rules for names."""

import dataclasses

import pytest

from mastra_deployer_cloudflare import CloudflareDeployer
from mastra_deployer_cloudflare.settings_checks import check_settings
from tests.cloudflare.fake.state import ACCOUNT

VALID = CloudflareDeployer(
    project_name="shop",
    scope=ACCOUNT,
    vars={"LEVEL": "info"},
    kv={"CACHE": "Shop cache"},
    d1={"DB": "shop"},
    r2={"FILES": "shop-files"},
    queues={"JOBS": "shop-jobs"},
    services={"AUTH": "auth#Api"},
    ai="AI",
    routes=("shop.example.com/*", "*.example.com/api", "https://a.example.com/"),
    custom_domains=("shop.example.com",),
    crons=("0 5 * * MON", "*/10 * * * *"),
    cpu_ms=300_000,
)


def test_valid_settings_have_no_problem():
    assert not list(check_settings(VALID))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"project_name": "My_Shop"}, "'My_Shop' is not a valid name for a Worker"),
        ({"project_name": "-shop"}, "is not a valid name for a Worker"),
        ({"project_name": "s" * 64}, "is not a valid name for a Worker"),
        ({"scope": "acme"}, "'acme' is not the id of an account"),
        ({"vars": {"1ST": "x"}}, "'1ST' in vars"),
        ({"ai": "my ai"}, "'my ai' in ai"),
        ({"kv": {"DB": "x"}}, "The binding 'DB' is in kv and in d1"),
        ({"vars": {"AUTH": "x"}}, "The binding 'AUTH' is in vars and in services"),
        ({"vars": {"TEXT": "x" * 5121}}, "'TEXT' has 5,121 bytes"),
        ({"vars": {f"N{number}": "x" for number in range(129)}}, "vars has 129 variables"),
        ({"r2": {"FILES": "Shop"}}, "'Shop' in r2"),
        ({"r2": {"FILES": "ab"}}, "'ab' in r2"),
        ({"queues": {"JOBS": "a_b"}}, "'a_b' in queues"),
        ({"kv": {"CACHE": " "}}, "' ' in kv"),
        ({"services": {"AUTH": "Auth Service"}}, "'Auth Service' in services"),
        ({"services": {"AUTH": "auth#1"}}, "'auth#1' in services"),
        ({"routes": ("example",)}, "'example' in routes"),
        ({"routes": ("shop.example.com/a b?*",)}, ""),
        ({"custom_domains": ("https://shop.example.com",)}, "in custom_domains"),
        ({"custom_domains": ("Shop.example.com",)}, "in custom_domains"),
        ({"crons": ("every day",)}, "'every day' is not valid"),
        ({"crons": ("0 25 * * *",)}, "'0 25 * * *' is not valid"),
        ({"cpu_ms": 0}, "cpu_ms=0"),
        ({"cpu_ms": 300_001}, "cpu_ms=300001"),
    ],
)
def test_each_bad_setting_is_named_with_a_cure(changes, text):
    problems = list(check_settings(dataclasses.replace(VALID, **changes)))
    if not text:
        assert not problems
        return
    assert text in problems[0].message
    assert all(problem.hint for problem in problems)
    assert problems[0].severity == "error"


def test_worker_without_an_address_is_a_warning():
    settings = CloudflareDeployer(project_name="shop", workers_dev=False)
    (problem,) = check_settings(settings)
    assert problem.severity == "warning"
    assert "no address" in problem.message


def test_many_variables_are_a_warning_for_the_free_plan():
    variables = {f"N{number}": "x" for number in range(65)}
    (problem,) = check_settings(dataclasses.replace(VALID, vars=variables))
    assert problem.severity == "warning"
