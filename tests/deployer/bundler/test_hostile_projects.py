"""Projects of an attacker, or of an unlucky user."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.deployer.bundler.wheelhouse import write_wheel
from tests.files import find_text
from tests.repository import EXAMPLES

INDEX = "src/mastra/index.py"
ACME = "from mastra_deployer_acme import AcmeDeployer\n"
TOKEN = "sk-live-4711"
LINE_ENDS = ("\f\n", "x = '\u2028'\n", "# \x85 \x1c\n", '"""\f\n\v"""\n')


def add_deployer(echo, call):
    return ACME + echo.replace("logger=", f"deployer={call}, logger=")


@pytest.mark.slow
@pytest.mark.parametrize(
    "odd", ["".join(LINE_ENDS), *(pytest.param(each, marks=pytest.mark.full) for each in LINE_ENDS)]
)
def test_unusual_line_ends_never_ship_a_token(project, mastra, echo, odd):
    source = odd + add_deployer(echo, f"AcmeDeployer(app='a', token='{TOKEN}')")
    root = project({INDEX: source})
    mastra("build", cwd=root).ok()
    assert not find_text(root / ".mastra", TOKEN)


@pytest.mark.parametrize(
    "call",
    [
        f"AcmeDeployer(token='{TOKEN}') if 1 else None",
        f"AcmeDeployer(token='{TOKEN}' + X)",
        f"AcmeDeployer(token=f'{TOKEN}{{X}}')",
        f"AcmeDeployer(token=('{TOKEN}' app='x')",
        f"AcmeDeployer(token=Secret(value='{TOKEN}'), app='a', tags={{[]: 1}})",
    ],
)
def test_errors_do_not_show_a_token(project, mastra, echo, call):
    root = project({INDEX: "from mastra_core import Secret\n" + add_deployer(echo, call)})
    done = mastra("build", cwd=root).failed(2, "index.py:")
    assert TOKEN not in done.err + done.out
    done = mastra("build", "-v", cwd=root)
    assert TOKEN not in done.err + done.out


def test_credentials_of_an_index_are_not_shown(project, mastra, echo, tmp_path):
    url = "http://user:sk-pass-1@127.0.0.1:9/simple?token=sk-query-2"
    cold = {"UV_CACHE_DIR": str(tmp_path / "cold"), "UV_INDEX_URL": url, "UV_HTTP_RETRIES": "0"}
    done = mastra("build", cwd=project({INDEX: echo}), **cold).failed(4, "127.0.0.1:9/simple")
    assert "sk-pass-1" not in done.err
    assert "sk-query-2" not in done.err


@pytest.mark.parametrize("character", "@#?/")
def test_a_password_that_is_not_encoded_is_not_shown(project, mastra, echo, tmp_path, character):
    """uv takes the text before the character for a port, and shows the whole address."""
    url = f"http://user:pass{character}sk-pass-1@127.0.0.1:9/simple"
    cold = {"UV_CACHE_DIR": str(tmp_path / "cold"), "UV_INDEX_URL": url, "UV_HTTP_RETRIES": "0"}
    done = mastra("build", cwd=project({INDEX: echo}), **cold).failed(4, "127.0.0.1:9/simple")
    assert "pass" not in done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=pytest.mark.full) for seed in ("1", "2", "5")],
)
def test_extras_are_independent_of_the_hash_seed(project, mastra, echo, tmp_path, seed):
    root = project({INDEX: echo}, dependencies=("mastra-core[telemetry]",))
    cold = {"PYTHONHASHSEED": seed, "MASTRA_CACHE_DIR": str(tmp_path / "cache")}
    mastra("build", cwd=root, **cold).ok()
    assert (root / ".mastra/vendor/certifi").exists()


@pytest.mark.slow
def test_included_requirements_files_are_read(project, mastra, echo):
    files = {
        INDEX: echo,
        "requirements.txt": "-r more/base.txt\n",
        "more/base.txt": "httpx\nidna==3.7\n",
    }
    root = project(files)
    mastra("build", cwd=root).ok()
    assert (root / ".mastra/vendor/httpx").exists(), "a direct requirement was pruned"
    (root / "more/base.txt").write_text("httpx\nidna==3.8\n")
    mastra("build", cwd=root).ok()
    assert (root / ".mastra/vendor/idna-3.8.dist-info").exists()


@pytest.mark.slow
def test_dynamic_dependencies_come_from_the_build_backend(project, mastra, echo):
    root = project({INDEX: echo})
    (root / "needs.txt").write_text("httpx\nidna==3.7\n")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "app"\nversion = "0"\ndynamic = ["dependencies"]\n'
        '[tool.setuptools.dynamic]\ndependencies = { file = ["needs.txt"] }\n'
    )
    mastra("build", cwd=root).ok()
    assert (root / ".mastra/vendor/idna-3.7.dist-info").exists()
    assert (root / ".mastra/vendor/httpx").exists()


def test_files_beside_the_output_are_unchanged(project, mastra, echo):
    root = project({INDEX: echo, "out.old/mine.txt": "mine", ".out.mastra-swap/mine.txt": "mine"})
    pytest.importorskip("mastra_deployer")
    from mastra_deployer.files.atomic_replace import repair_directory

    repair_directory(root / "out")
    assert (root / "out.old/mine.txt").exists()
    assert (root / ".out.mastra-swap/mine.txt").exists()


@pytest.mark.slow
def test_an_output_on_another_file_system(project, mastra, echo, tmp_path):
    other = "/dev/shm"
    if not os.path.isdir(other) or os.stat(other).st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    import tempfile

    with tempfile.TemporaryDirectory(dir=other) as place:
        root = project({INDEX: echo})
        mine = Path(place, "tmp-photos")  # no temporary directory of mastra
        mine.mkdir()
        for _ in range(2):
            mastra("bundle", "server", "-o", f"{place}/out", cwd=root).ok()
        assert sorted(os.listdir(place)) == ["out", mine.name]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: (root / "src/mastra/conf.txt").symlink_to(root / ".env"), "environment file"),
        (
            lambda root: (root / "src/mastra/out.txt").symlink_to("/etc/hostname"),
            "outside of the project",
        ),
        (lambda root: (root / "src/mastra/out").symlink_to("/etc"), "outside of the project"),
    ],
)
def test_links_out_of_the_project_are_rejected(project, mastra, echo, make, words):
    root = project({INDEX: echo, ".env": f"KEY={TOKEN}\n"})
    make(root)
    mastra("build", cwd=root).failed(4, words, "exclude")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (".env*", "environment file"),
        ("../*", "outside of the project"),
        ("/etc/host*", "outside of the"),
        ("", "is not a valid pattern"),
        (".", "is not a valid pattern"),
        ("data/**.json", "is not a valid pattern"),
    ],
)
def test_a_wrong_include_is_rejected(project, mastra, echo, pattern, words):
    config = f'[tool.mastra.build]\ninclude = ["{pattern}"]\n'
    root = project({INDEX: echo, ".env": f"KEY={TOKEN}\n"}, config)
    mastra("build", cwd=root).failed(4, words)


@pytest.mark.slow
def test_an_include_that_ends_with_two_stars_matches_files(project, mastra, echo):
    config = '[tool.mastra.build]\ninclude = ["data/**"]\n'
    files = {"data/words.txt": "x", "data/deep/er/words.txt": "x", "data/.hidden/words.txt": "x"}
    root = project({INDEX: echo, **files}, config)
    mastra("build", cwd=root).ok()
    app = root / ".mastra/app"
    shipped = {path.relative_to(app).as_posix() for path in app.rglob("words.txt")}
    assert shipped == {"data/words.txt", "data/deep/er/words.txt"}


@pytest.mark.slow
def test_cyclic_links_terminate(project, mastra, echo):
    root = project({INDEX: echo, "src/mastra/words.txt": "x"})
    for name in ("a", "b"):
        (root / "src/mastra" / name).symlink_to(".")
    mastra("build", cwd=root, timeout=60).ok()
    assert len(list((root / ".mastra/app").rglob("words.txt"))) == 1


@pytest.mark.slow
def test_a_build_needs_no_credentials(project, mastra, echo):
    call = "AcmeDeployer(app=os.environ['ACME_APP'], token=os.environ['ACME_TOKEN'])"
    root = project({INDEX: "import os\n" + add_deployer(echo, call)})
    mastra("build", cwd=root).ok()
    mastra("bundle", "acme", cwd=root, ACME_TOKEN="").ok()
    mastra("deploy", "acme", cwd=root, ACME_TOKEN="").failed(2, "needs app")


@pytest.mark.slow
def test_files_written_at_import_do_not_ship(project, mastra, echo):
    writes = "from pathlib import Path\nimport time\n"
    writes += "for name in ('cache.json', *(f'{n}.pyi' for n in range(60))):\n"
    writes += (
        "    (Path(__file__).parent / name).write_text(str(time.time()))\nopen('app.log', 'a')\n"
    )
    root = project({INDEX: writes + echo})
    output = mastra("build", cwd=root).ok().err
    assert "warning: The app writes 61 files beside its code during the import: app/" in output
    assert output.count("Write to another directory") == 1 and "and 58 more" in output
    assert not list((root / ".mastra").rglob("app.log"))
    assert not list((root / ".mastra").rglob("59.pyi"))
    assert not (root / "app.log").exists()


@pytest.mark.slow
def test_files_that_a_dependency_writes_at_import_are_noted(project, mastra, echo, tmp_path):
    """The author of the app cannot change the code of the dependency."""
    code = "from pathlib import Path\n(Path(__file__).parent / 'seed.txt').write_text('1')\n"
    write_wheel(tmp_path / "house", "kit", {"kit/__init__.py": code})
    config = f'[tool.uv]\nfind-links = ["{tmp_path / "house"}"]\n'
    root = project({INDEX: "import kit\n" + echo}, config, dependencies=("mastra-core", "kit"))
    output = mastra("build", cwd=root).ok().err
    assert "note: A dependency writes a file beside its code" in output
    assert "vendor/kit/seed.txt" in output and "warning" not in output


@pytest.mark.slow
def test_a_private_deployer_like_the_example_and_its_code_does_not_ship(project, mastra, echo):
    package = EXAMPLES / "mastra-deployer-acme/mastra_deployer_acme"
    source = "".join((package / name).read_text() for name in ("__init__.py", "hooks.py"))
    source = source.replace("from mastra_deployer_acme import AcmeDeployer\n", "")
    source = source.replace('directory, "acme")', 'directory, "acme", app=settings.app)')
    source = source.replace(
        "directory: Path) -> Bundle", "directory: Path, settings: Any) -> Bundle"
    )
    entry = "from deploy.inhouse import AcmeDeployer\n" + echo.replace(
        "logger=", "deployer=AcmeDeployer(app='from-entry'), logger="
    )
    config = '[tool.mastra.targets.inhouse]\ndeployer = "./src/deploy/inhouse.py"\n'
    root = project(
        {INDEX: entry, "src/deploy/__init__.py": "", "src/deploy/inhouse.py": source}, config
    )
    mastra("bundle", cwd=root, VIRTUAL_ENV="").ok()
    bundle = root / ".mastra-local/bundles/inhouse"
    manifest = json.loads((bundle / "mastra-bundle.json").read_text())
    assert manifest["metadata"] == {"app": "from-entry"}
    assert not list(bundle.rglob("inhouse.py"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("app = 3\n", "of type int"),
        (
            "def app():\n    async def real(scope, receive, send): ...\n    return real\n",
            "a factory",
        ),
    ],
)
def test_entry_that_is_not_an_asgi_application(project, mastra, source, words):
    mastra("build", "--app", "main:app", cwd=project({"main.py": source})).failed(2, words)


@pytest.mark.slow
def test_annotations_of_an_entry_that_only_a_type_checker_resolves(project, mastra):
    deferred = "" if sys.version_info >= (3, 14) else "from __future__ import annotations\n"
    source = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from asgiref.typing import Receive, Scope, Send\n"
        "async def app(scope: Scope, receive: Receive, send: Send) -> None: ...\n"
    )
    root = project({"main.py": deferred + source})
    assert mastra("build", "--app", "main:app", "--json", cwd=root).ok().json


@pytest.mark.slow
def test_threads_processes_and_output_do_not_disturb_the_build(project, mastra, echo):
    """A background process of the app keeps its output open, longer than a build waits."""
    odd = (
        "import os, subprocess, sys, threading, time\n"
        "threading.Thread(target=time.sleep, args=(300,)).start()\n"
        "os.write(2, b'\\xff\\xfe')\nprint('hello')\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(70)'])\n"
    )
    root = project({INDEX: odd + echo})
    assert mastra("build", "--json", cwd=root, timeout=60).ok().json["registry"]["agents"]


@pytest.mark.slow
def test_source_files_that_mastra_cannot_read(project, mastra, echo):
    """An entry may have any encoding; modules that nothing imports may be anything."""
    deep = {
        "src/mastra/signs.py": f"x = {'-' * 30_000}1\n",
        "src/mastra/terms.py": f"x = {'1 + ' * 6_000}1\n",
    }
    root = project({INDEX: "", **deep})
    (root / INDEX).write_bytes(f"# -*- coding: latin-1 -*-\n# caf\xe9\n{echo}".encode("latin-1"))
    mastra("build", cwd=root).ok()
    sentence = "src/mastra/signs.py ships: it is the app's own code"
    assert sentence in mastra("build", "--explain", "mastra.signs", cwd=root).ok().out


@pytest.mark.slow
def test_settings_of_uv_that_are_not_utf_8(project, mastra, echo):
    root = project({INDEX: echo})
    (root / "uv.toml").write_bytes(b"# caf\xe9\n")
    mastra("build", cwd=root).failed(4, "uv failed", "uv.toml")


@pytest.mark.slow
def test_invalid_placeholder_names_the_cure(project, mastra, echo):
    config = '[tool.mastra.env]\nrequired = ["POOL"]\n'
    source = "import os\nint(os.environ['POOL'])\n" + echo
    mastra("build", cwd=project({INDEX: source}, config)).failed(2, "[tool.mastra.check] env")
    config += '[tool.mastra.check]\nenv = { POOL = "5" }\n'
    root = project({INDEX: source}, config)
    mastra("build", cwd=root).ok()


@pytest.mark.slow
def test_modules_that_look_like_tests_ship_when_they_are_used(project, mastra, echo):
    files = {
        INDEX: "import env, tools2\nfrom mastra import ab_test\n" + echo,
        "src/env.py": "",
        "src/tools2.py": "1 / 0",
        "src/tools2/__init__.py": "",
        "src/mastra/ab_test.py": "",
        "src/mastra/test_unused.py": "import pytest",
        "src/mastra/templates/page.py": "{% if x %}",
    }
    root = project(files)
    mastra("build", cwd=root).ok()
    app = root / ".mastra/app/src"
    assert (app / "env.py").exists()
    assert (app / "mastra/ab_test.py").exists()
    assert not (app / "mastra/test_unused.py").exists()


@pytest.mark.slow
def test_failing_workers_stop_the_server(project, mastra, tmp_path):
    root = project({"main.py": "import os\nasync def app(scope, receive, send):\n"
                    "    await send({'type': 'http.response.start', 'status': 204})\n"
                    "if os.environ.get('BREAK'): 1 / 0\n"}, dependencies=())  # fmt: skip
    mastra("build", "--app", "main:app", cwd=root).ok()
    command = [sys.executable, str(root / ".mastra/index.py")]
    env = {"PATH": os.environ["PATH"], "PORT": "0", "WEB_CONCURRENCY": "2", "BREAK": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "cannot be imported" in done.stderr
    del env["BREAK"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    assert "2 workers" in process.stderr.readline()
    time.sleep(2)
    process.terminate()
    _, heard = process.communicate(timeout=30)
    assert process.returncode == 0, heard


@pytest.mark.slow
def test_prebuilt_needs_no_sources(project, mastra, echo, tmp_path):
    root = project({INDEX: echo})
    out = tmp_path / "out"
    mastra("bundle", "acme", "-s", "app=shop", "-o", out, cwd=root).ok()
    empty = tmp_path / "empty"
    empty.mkdir()
    nowhere = {"ACME_TOKEN": "t", "ACME_API_URL": "http://127.0.0.1:9"}
    done = mastra("deploy", "acme", "-s", "app=shop", "--prebuilt", out, cwd=empty, **nowhere)
    done.failed(8, "cannot be reached")
    (out / "app/link").symlink_to("/etc")
    mastra("deploy", "acme", "-s", "app=s", "--prebuilt", out, cwd=empty).failed(
        5, "contains a symbolic link"
    )
