"""Third-party deployers and plugins: isolated, and named in errors that they cause."""

from pathlib import Path

import pytest

INDEX = "src/mastra/index.py"

TARGET = """\
import dataclasses
from typing import ClassVar
from mastra_core.hooks import hookimpl
from mastra_core.pipeline import Bundle, Problem, Target

@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    target: ClassVar[str] = "NAME"

@hookimpl
def mastra_target():
    return Target(name="NAME", summary="a test", settings=Settings)

@hookimpl
def mastra_bundle(build, directory):
    build.copy_to(directory)
    return Bundle.seal(build, directory, "NAME")
"""


@pytest.fixture
def package(tmp_path):
    """Install a package: a module, and entry points, in a directory on PYTHONPATH."""
    site = tmp_path / "site"

    def install(name, source, group, entry):
        module = name.replace("-", "_")
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry} = {module}\n")
        (info / "RECORD").write_text("")
        (site / f"{module}.py").write_text(source)
        return str(site)

    return install


def install_deployer(package, source, name="mine", distribution="mastra-deployer-mine"):
    return package(distribution, source, "mastra.deployers", name)


@pytest.mark.slow
def test_third_party_deployer_bundles(package, project, mastra, echo):
    site = install_deployer(package, TARGET.replace("NAME", "mine"))
    root = project({INDEX: echo})
    done = mastra("bundle", "mine", "--json", cwd=root, PYTHONPATH=site).ok()
    assert done.json["target"] == "mine"
    assert (root / ".mastra-local/bundles/mine/index.py").exists()


def test_misspelled_hook_names_the_package(package, project, mastra, echo):
    source = TARGET.replace("NAME", "mine") + "@hookimpl\ndef mastra_deplyo(bundle): ...\n"
    site = install_deployer(package, source)
    done = mastra("bundle", "mine", cwd=project({INDEX: echo}), PYTHONPATH=site)
    done.failed(3, "mastra-deployer-mine", "mastra_deplyo")


def test_hook_with_an_unknown_argument(package, project, mastra, echo):
    source = TARGET.replace("NAME", "mine").replace("(build, directory)", "(build, folder)")
    site = install_deployer(package, source)
    done = mastra("bundle", "mine", cwd=project({INDEX: echo}), PYTHONPATH=site)
    done.failed(3, "mastra-deployer-mine", "folder")


def test_async_hook_is_rejected(package, project, mastra, echo):
    source = TARGET.replace("NAME", "mine").replace("def mastra_bundle", "async def mastra_bundle")
    site = install_deployer(package, source)
    done = mastra("bundle", "mine", cwd=project({INDEX: echo}), PYTHONPATH=site)
    done.failed(3, "async mastra_bundle", "asyncio.run")


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_module\n", "No module named 'no_such_module'"),
        ("raise SystemExit(0)\n", "SystemExit: 0"),
    ],
)
def test_broken_package_does_not_affect_other_targets(
    package, project, mastra, echo, source, cause
):
    site = install_deployer(package, source)
    root = project({INDEX: echo})
    mastra("bundle", "mine", cwd=root, PYTHONPATH=site).failed(
        3, "mastra-deployer-mine cannot be loaded", cause
    )
    listed = mastra("targets", cwd=root, PYTHONPATH=site).ok().out
    assert "server a directory" in " ".join(listed.split())
    assert "mine broken: " in " ".join(listed.split())


def test_two_packages_with_one_target_name(package, project, mastra, echo):
    install_deployer(package, TARGET.replace("NAME", "mine"))
    site = install_deployer(
        package, TARGET.replace("NAME", "mine"), distribution="mastra-deployer-other"
    )
    done = mastra("bundle", "mine", cwd=project({INDEX: echo}), PYTHONPATH=site)
    done.failed(3, "mastra-deployer-mine and mastra-deployer-other", "pip uninstall")


def test_ambient_plugin_with_a_deploy_hook_is_rejected(package, project, mastra, echo):
    source = "from mastra_core.hooks import hookimpl\n@hookimpl\ndef mastra_deploy(bundle): ...\n"
    site = package("mastra-thief", source, "mastra.plugins", "thief")
    root = project({INDEX: echo})
    done = mastra("bundle", "acme", "-s", "app=x", cwd=root, PYTHONPATH=site)
    done.failed(3, "mastra-thief", "mastra_deploy", "An ambient plugin may implement")


@pytest.mark.slow
def test_a_disabled_plugin_is_not_loaded(package, project, mastra, echo):
    site = package("mastra-broken", "import no_such_module\n", "mastra.plugins", "broken")
    root = project({INDEX: echo})
    mastra("build", cwd=root, PYTHONPATH=site).failed(3, "mastra-broken")
    mastra("build", cwd=root, PYTHONPATH=site, MASTRA_DISABLE_PLUGINS="broken").ok()


@pytest.mark.slow
def test_plugin_problem_stops_the_build(package, project, mastra, echo):
    source = (
        "from mastra_core.hooks import hookimpl\nfrom mastra_core.pipeline import Problem\n"
        "@hookimpl\ndef mastra_check(build):\n"
        "    return [Problem(message='No agents on Mondays.', hint='Wait.')]\n"
        "@hookimpl\ndef mastra_stage_finished(stage):\n"
        "    import sys; print('finished', stage, file=sys.stderr)\n"
    )
    site = package("mastra-mondays", source, "mastra.plugins", "mondays")
    root = project({INDEX: echo})
    done = mastra("build", cwd=root, PYTHONPATH=site).failed(4, "No agents on Mondays.", "Wait.")
    assert "finished build" in done.err
    assert "finished bundle" not in done.err


@pytest.mark.slow
def test_deployer_in_a_project_file(project, mastra, echo):
    config = '[tool.mastra.targets.inhouse]\ndeployer = "./deploy/inhouse.py"\n'
    files = {INDEX: echo, "deploy/inhouse.py": TARGET.replace("NAME", "inhouse")}
    root = project(files, config)
    assert mastra("bundle", "inhouse", "--json", cwd=root).ok().json["target"] == "inhouse"


@pytest.mark.slow
def test_a_deployer_beside_pyproject_reuses_its_bundle_until_its_code_changes(
    project, mastra, echo
):
    config = '[tool.mastra.targets.inhouse]\ndeployer = "./inhouse.py"\n'
    files = {
        INDEX: echo,
        "inhouse.py": TARGET.replace("NAME", "inhouse"),
        "helpers/__init__.py": "",
        "helpers/handler.mjs": "",
    }
    root = project(files, config)
    mastra("bundle", "inhouse", cwd=root).ok()
    for name in ("inhouse.py", "helpers/__init__.py", "helpers/handler.mjs"):
        assert "Nothing has changed" in mastra("bundle", "inhouse", cwd=root).ok().err
        with (root / name).open("a") as file:
            file.write("# a change\n")
        assert "Nothing has changed" not in mastra("bundle", "inhouse", cwd=root).ok().err


@pytest.mark.slow
def test_hook_that_returns_nothing_or_raises(package, project, mastra, echo):
    quiet = TARGET.replace("NAME", "mine").replace(
        'return Bundle.seal(build, directory, "mine")', ""
    )
    site = install_deployer(package, quiet)
    loud = quiet.replace("build.copy_to(directory)", "1 / 0").replace('"mine"', '"loud"')
    package("mastra-deployer-loud", loud, "mastra.deployers", "loud")
    root = project({INDEX: echo})
    done = mastra("bundle", "mine", cwd=root, PYTHONPATH=site)
    done.failed(3, "mastra_bundle", "mine")
    mastra("bundle", "loud", cwd=root, PYTHONPATH=site).failed(3, "ZeroDivisionError", "author")


@pytest.mark.full
@pytest.mark.slow
def test_hook_that_is_a_generator_may_print_and_fail(package, project, mastra, echo):
    noisy = TARGET.replace("NAME", "mine") + (
        "@hookimpl\ndef mastra_check(build):\n    print('checking')\n"
        "    yield Problem(message='Mind the gap.', severity='warning')\n"
    )
    site = install_deployer(package, noisy)
    package(
        "mastra-deployer-loud",
        noisy.replace('"mine"', '"loud"') + "    1 / 0\n",
        "mastra.deployers",
        "loud",
    )
    root = project({INDEX: echo})
    done = mastra("bundle", "mine", "--json", cwd=root, PYTHONPATH=site).ok()
    assert done.json["target"] == "mine" and "checking" in done.err
    done = mastra("bundle", "loud", "--json", cwd=root, PYTHONPATH=site)
    done.failed(3, "mastra_check of loud failed: ZeroDivisionError", "author")


def test_two_entry_points_with_one_plugin_are_an_error(package, project, mastra, echo):
    source = "from mastra_core.hooks import hookimpl\n@hookimpl\ndef mastra_inspect(bundle): ...\n"
    site = package("watcher", source, "mastra.plugins", "one")
    info = Path(site, "watcher-1.0.dist-info", "entry_points.txt")
    info.write_text("[mastra.plugins]\none = watcher\ntwo = watcher\n")
    done = mastra("bundle", "server", cwd=project({INDEX: echo}), PYTHONPATH=site).failed(3)
    assert (
        "watcher (two) registers a plugin that another entry point has already registered"
        in done.err
    )
