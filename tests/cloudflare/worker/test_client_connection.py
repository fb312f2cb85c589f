"""Which addresses the Worker keeps for cron triggers."""

import pytest

from mastra_deployer_cloudflare.worker.client_connection import is_scheduled_url

_SITE = "https://shop.example.com"


@pytest.mark.parametrize(
    "path",
    [
        "/cdn-cgi/handler/scheduled",
        "/cdn-cgi/handler/scheduled/?cron=x",
        "//cdn-cgi//handler/scheduled",
        "/cdn-cgi/handler/%73cheduled",
        "/cdn-cgi%2Fhandler%2fscheduled",
    ],
)
def test_every_spelling_of_the_address_is_recognized(path):
    assert is_scheduled_url(f"{_SITE}{path}")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/?next=/cdn-cgi/handler/scheduled",
        "/docs/cdn-cgi/handler/scheduled",
        "/cdn-cgi/handler/scheduled/x",
        "/cdn-cgi/handler/%2573cheduled",
    ],
)
def test_other_addresses_belong_to_the_app(path):
    assert not is_scheduled_url(f"{_SITE}{path}")
