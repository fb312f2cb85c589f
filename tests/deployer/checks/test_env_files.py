"""Variables that only `.env` knows are reported, since previews and deployments lack them."""

import pytest

from mastra_core.pipeline import Environment
from mastra_deployer.checks.env_files import check_env_files

INDEX = "src/mastra/index.py"
SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("names", "reported"),
    [
        (("OPENAI_BASE_URL",), ["OPENAI_BASE_URL"]),
        (("OPENAI_API_KEY", "SENTRY_DSN"), []),
        (("PORT", "HOST", "TZ", "PYTHONPATH", "MASTRA_TRUST", "UV_INDEX_URL", "OCI_TOKEN"), []),
        (("VERCEL_TOKEN", "NETLIFY_AUTH_TOKEN", "CLOUDFLARE_API_TOKEN"), []),
        (("LANGFUSE_HOST", "DEBUG_SQL", "AZURE_ENDPOINT"), ["AZURE_ENDPOINT", "LANGFUSE_HOST"]),
    ],
)
def test_undeclared_variables(names, reported):
    declared = Environment(required=("OPENAI_API_KEY",), optional=("sentry_dsn",))
    problems = list(check_env_files(names, declared, ("DEBUG_*",)))
    assert len(problems) == bool(reported)
    for problem in problems:
        assert f"sets {', '.join(reported)} without" in problem.message
        assert f'"{reported[0]}"' in problem.hint


@pytest.mark.slow
def test_check_and_every_build_report_them(project, mastra, echo):
    text = f"OPENAI_BASE_URL=https://{SECRET}.example\nGREETING=hi\nACME_TOKEN={SECRET}\n"
    config = '[tool.mastra.env]\noptional = ["GREETING"]\n'
    root = project({INDEX: echo, ".env": text}, config)
    done = mastra("check", "--json", cwd=root).ok()
    assert "bundle" not in done.json, "the directory is removed"
    problem = done.json["problems"][0]
    assert problem["severity"] == "warning" and "OPENAI_BASE_URL" in problem["message"]
    for word in ("Starting the app in isolation", "Nothing has changed"):
        built = mastra("build", cwd=root).ok()
        assert word in built.err and "warning: .env: " in built.err
        assert "OPENAI_BASE_URL, but" not in built.err and SECRET not in built.err + done.out
    done = mastra("bundle", "acme", "-s", "app=shop", cwd=root).ok()
    assert "sets OPENAI_BASE_URL without" in done.err, "the deployer itself reads ACME_TOKEN"
    (root / ".env").write_text("GREETING=hi\n")
    assert ".env:" not in mastra("build", cwd=root).ok().err
