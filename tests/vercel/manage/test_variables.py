"""The store of variables at Vercel: when a variable of a stage was last set."""

import datetime as dt

from mastra_core import Secret
from mastra_deployer_vercel.hooks import mastra_env
from mastra_deployer_vercel.settings import VercelDeployer


def test_the_change_time_is_that_of_the_newest_variable_of_the_stage(vercel):
    settings = VercelDeployer(project_name="shop", api_url=vercel.url)
    credentials = {"VERCEL_TOKEN": Secret(vercel.token)}
    production = mastra_env(settings, credentials, "production")
    preview = mastra_env(settings, credentials, "preview")
    assert production.get_change_time() is None
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    production.set({"GREETING": Secret("hullo-4711")})
    assert before < production.get_change_time() < before + dt.timedelta(minutes=1)
    assert preview.get_change_time() is None
