"""Three versions of an app, and functions that deploy them and look at what is live."""

import json

import pytest

from tests.oci.registries import run_skopeo
from tests.sample_projects import ECHO, write_project

INDEX = "src/mastra/index.py"


@pytest.fixture(scope="module")
def bundles(mastra, tmp_path_factory):
    """Three versions of an app."""
    root = write_project(tmp_path_factory.mktemp("three") / "app", {INDEX: ECHO})
    directories = []
    for word in "one two three".split():
        (root / INDEX).write_text(ECHO.replace("echo: {", f"{word}: {{"))
        settings = ["-simage=registry.example/team/app", "-sbase=scratch+python"]
        mastra("bundle", "oci", *settings, "-o", root / word, cwd=root).ok()
        directories.append(root / word)
    return directories


@pytest.fixture
def run(proxy, oci):
    return oci(proxy.host)


@pytest.fixture
def deploy(run):
    def deploy_bundle(bundle, *arguments):
        done = run("deploy", "--prebuilt", bundle, *arguments, "--json").ok()
        return done.json["deployment"]["id"]

    return deploy_bundle


@pytest.fixture
def live(proxy):
    """Return the id of the deployment under a tag."""

    def get_live_id(tag="latest"):
        image = f"docker://{proxy.host}/team/app:{tag}"
        output = json.loads(run_skopeo("inspect", "--tls-verify=false", image))
        return "mastra-" + output["Digest"].removeprefix("sha256:")[:12]

    return get_live_id
