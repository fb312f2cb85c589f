"""`mastra dev`, with real processes, requests, saves and signals."""

import contextlib
import http.client
import os
import signal
import subprocess
import threading
import time

import httpx
import pytest

from tests.deployer.dev.dev_process import Dev, run_dev, wait_until_gone
from tests.sample_projects import ECHO, STARLETTE, write_project

pytestmark = pytest.mark.slow
INDEX = "src/mastra/index.py"
PATH = "/api/agents/echo/generate"
BROKEN = ECHO + "\nraise ValueError('<b>broken</b> on purpose')\n"


def build_source(word):
    return ECHO.replace("echo: {text}", f"{word} {{text}}")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """A project that several tests share with one running command."""
    return write_project(tmp_path_factory.mktemp("dev") / "app", {INDEX: build_source("first")})


@pytest.fixture(scope="module")
def dev(app):
    with run_dev(app) as running:
        yield running.wait_until_ready()


@pytest.fixture
def fresh(dev):
    """The shared command, with a working version serving."""
    dev.save(INDEX, build_source("fresh") + f"# {time.monotonic()}\n")
    dev.wait_for_line("reloaded in")
    return dev


def test_a_save_is_served(fresh):
    fresh.save(INDEX, build_source("second"))
    assert fresh.wait_for_line(r"reloaded in \d+ ms: (.*)")[1] == INDEX
    assert fresh.ask().json()["text"] == "second x"


def test_saves_of_the_same_second_and_size_are_all_served(fresh):
    for number in range(10, 15):
        fresh.save(INDEX, build_source(f"n{number}"))
        fresh.wait_for_line("reloaded in")
        assert fresh.ask().json()["text"] == f"n{number} x"


def test_a_broken_save_keeps_the_last_good_version(fresh):
    fresh.save(INDEX, BROKEN)
    line = len(BROKEN.splitlines())
    fresh.wait_for_line(rf"broken: {INDEX}:{line}: ValueError: <b>broken</b> on purpose")
    fresh.wait_for_line(rf"{line} \| raise ValueError")
    fresh.wait_for_line("The last working version still serves requests")
    assert fresh.ask().json()["text"] == "fresh x"
    assert fresh.get("/health").json() == {"success": True}
    page = fresh.browse()
    assert page.status_code == 500
    assert page.headers["content-security-policy"] == "frame-ancestors 'self'"
    assert f"{INDEX}:{line}" in page.text and "&lt;b&gt;broken&lt;/b&gt;" in page.text
    assert "<b>broken</b>" not in page.text and "Traceback" not in fresh.text
    foreign = {"host": "evil.example:80", "accept": "text/html"}
    assert INDEX not in fresh.get(headers=foreign).text
    state = fresh.get("/__mastra/dev").json()["problem"]
    assert state and state in page.text
    fresh.save(INDEX, build_source("fixed"))
    fresh.wait_for_line("reloaded in")
    assert fresh.ask().json()["text"] == "fixed x"
    assert fresh.get("/__mastra/dev").json() == {"problem": ""}
    assert fresh.browse("/health").status_code == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", rf"broken: {INDEX}:1: SyntaxError: invalid syntax"),
        ("import no_such_module\n", rf"{INDEX}:1: There is no module 'no_such_module'"),
        ("import os\nos.environ['NO_SUCH']\n", rf"{INDEX}:2: The environment variable 'NO_SUCH'"),
        ("raise OSError('one\\n  two')\n", r"^    two$"),
        ("mastra = 1\n", "is of type int, neither a Mastra object nor an ASGI"),
        ("import os\nos._exit(3)\n", r"The app ended its process while being imported \(exit 3\)"),
    ],
)
def test_a_broken_save_is_explained(fresh, text, message):
    fresh.save(INDEX, text)
    fresh.wait_for_line(message)
    assert fresh.ask().json()["text"] == "fresh x"


def test_a_lifespan_that_fails_is_a_broken_version(tmp_path):
    lifespan = (
        "import contextlib\n@contextlib.asynccontextmanager\nasync def life(app):\n"
        "    raise OSError('no database')\n    yield\n"
    )
    broken = lifespan + STARLETTE.replace("])", "], lifespan=life)")
    root = write_project(tmp_path / "app", {"main.py": STARLETTE}, dependencies=("starlette",))
    with run_dev(root, "--app", "main:app") as dev:
        dev.wait_until_ready()
        dev.save("main.py", broken)
        dev.wait_for_line(r"broken: main.py:4: OSError: no database")
        assert dev.get("/?name=Ada").text == "Ada"
        assert "Traceback" not in dev.text


def test_several_files_at_once_are_one_reload(fresh):
    before = fresh.text.count("reloaded in")
    for number in range(200):
        fresh.save(f"src/mastra/part{number}.py", f"VALUE = {number}\n")
    fresh.save(INDEX, build_source("many").replace("from", "from .part199 import VALUE\nfrom", 1))
    fresh.wait_for_line("reloaded in .* and 19[89] more")
    assert fresh.ask().json()["text"] == "many x"
    time.sleep(0.5)
    assert fresh.text.count("reloaded in") == before + 1


def test_a_new_package_is_watched_and_a_temporary_file_is_not(fresh):
    before = fresh.text.count("reloaded in")
    for name in (".index.py.swp", "index.py~", "__pycache__/x.pyc", "data.db", "test_it.py"):
        fresh.save(f"src/mastra/{name}", "x")
    time.sleep(0.5)
    assert fresh.text.count("reloaded in") == before
    fresh.save("src/other/__init__.py", "WORD = 'other'\n")
    fresh.wait_for_line("reloaded in .*src/other")
    fresh.save(INDEX, "from other import WORD\n" + build_source("{WORD}"))
    fresh.wait_for_line("reloaded in")
    assert fresh.ask().json()["text"] == "other x"
    fresh.save("src/other/__init__.py", "WORD = 'changed'\n")
    fresh.wait_for_line("reloaded in")
    assert fresh.ask().json()["text"] == "changed x"


@pytest.mark.full  # test_drain reloads during requests too
def test_ten_reloads_drop_no_request(fresh):
    """New and kept-alive connections; no old version answers after the reload is reported."""
    failures, counts, stop = [], [0, 0], threading.Event()
    host = fresh.url.removeprefix("http://")
    body = b'{"messages": "x"}'

    def ask(requests):
        while not stop.is_set():
            connection = http.client.HTTPConnection(host, timeout=30)
            try:
                for _ in range(requests or 1):
                    connection.request("POST", PATH, body, {"content-type": "application/json"})
                    answer = connection.getresponse()
                    assert answer.status == 200 and answer.read()
                    counts[requests > 0] += 1
                    time.sleep(0.01)
            except Exception as error:
                failures.append(repr(error))
            finally:
                connection.close()

    threads = [threading.Thread(target=ask, args=(requests,)) for requests in (0, 50)]
    for thread in threads:
        thread.start()
    try:
        for number in range(10):
            fresh.save(INDEX, build_source(f"version{number}"))
            fresh.wait_for_line("reloaded in")
            assert fresh.ask().json()["text"] == f"version{number} x"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert min(counts) > 50


def test_request_lines_have_no_control_characters(fresh):
    fresh.get("/api/agents?token=hidden")
    line = fresh.wait_for_line("GET /api/agents 200").string
    assert line.endswith(" ms") and "hidden" not in fresh.text
    fresh.get("/api/%1b%5b2J")
    fresh.wait_for_line(r"GET /api/%1b%5b2J 404")
    assert "\x1b" not in fresh.text, "colours are for terminals"


def test_a_broken_first_start_is_fixed_by_a_save(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: "import nothing_like_it\n"})
    with run_dev(root) as dev:
        dev.url = dev.wait_for_line(r"Every response shows this error: (http://\S+)")[1]
        response = dev.get("/api/agents")
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert "nothing_like_it" in response.json()["detail"]
        assert dev.ask().status_code == 503
        page = dev.browse("/any/where")
        assert f"{INDEX}:1" in page.text and page.status_code == 503
        assert INDEX not in dev.get(headers={"host": "evil.example"}).text
        dev.save(INDEX, "def not_yet(:\n")
        dev.wait_for_line("SyntaxError")
        assert dev.get("/__mastra/dev").json()["problem"] not in page.text
        dev.save(INDEX, build_source("alive"))
        dev.wait_for_line("is ready in")
        assert dev.ask().json()["text"] == "alive x"


def test_an_environment_file_is_read_again(tmp_path):
    source = "import os\n" + ECHO.replace("echo: {text}", "{os.environ.get('WORD')} {text}")
    files = {INDEX: source, ".env": "WORD=plain\nOTHER=1\n"}
    config = '[tool.mastra.env]\nrequired = ["WORD", "LATER"]\n'
    root = write_project(tmp_path / "app", files, config)
    with run_dev(root) as dev:
        dev.wait_for_line("note: Required environment variables are not set: LATER.")
        dev.wait_for_line(r"\.env")
        dev.wait_until_ready()
        assert dev.ask().json()["text"] == "plain x"
        for name, word in ((".env.local", "local"), (".env.development", "development")):
            dev.save(name, f"WORD={word}\n")
            dev.wait_for_line(f"reloaded in .*{name}")
            assert dev.ask().json()["text"] == f"{word} x"
    with run_dev(root, WORD="real") as dev:
        assert dev.wait_until_ready().ask().json()["text"] == "real x"


GROQ = """
from mastra_core import Agent, Mastra

mastra = Mastra(agents={"helper": Agent(name="helper", model="groq:llama-3")})
"""


def test_a_missing_provider_is_named_at_the_start_and_by_the_first_run(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: GROQ})
    with run_dev(root) as dev:
        dev.wait_for_line("note: The agent 'helper' needs 'groq', which cannot be imported")
        dev.wait_for_line(r"pip install 'pydantic-ai-slim\[groq\]'")
        dev.wait_until_ready()
        address = f"{dev.url}/api/agents/helper/generate"
        response = httpx.post(address, json={"messages": "hi"}, trust_env=False, timeout=60)
        assert response.status_code == 500
        assert "pip install 'pydantic-ai-slim[groq]'" in response.json()["error"]


def test_a_secret_of_a_file_is_not_repeated(tmp_path):
    source = "import os\nraise ValueError('bad key ' + os.environ['API_KEY'])\n"
    files = {INDEX: source, ".env": "API_KEY=sk-very-secret-1\n"}
    root = write_project(tmp_path / "app", files)
    with run_dev(root) as dev:
        dev.wait_for_line(r"ValueError: bad key \*\*\*\*")
        dev.url = dev.wait_for_line(r"(http://\S+)")[1]
        assert "sk-very-secret-1" not in dev.browse().text + dev.text


def test_temporary_files_of_editors_are_not_named(fresh):
    """A save that replaces the file, as many editors and agents write it."""
    for name in ("index.py.tmp.4711", "sedAb3x9K", ".goutputstream-X4", "index.py~"):
        temporary = fresh.root / "src/mastra" / name
        temporary.write_text(build_source(name[:5].strip(".")))
        temporary.replace(fresh.root / INDEX)
        assert fresh.wait_for_line(r"reloaded in \d+ ms: (.*)")[1] == INDEX


KEYS = "server=Server(auth=ApiKeys({'shop': Secret.env('SHOP_KEY')})), logger"
AUTH = "from mastra_core import Mastra, Secret, Server\nfrom mastra_server import ApiKeys"


def test_the_printed_curl_is_authorized_and_shows_no_key(tmp_path):
    source = ECHO.replace("logger", KEYS).replace("from mastra_core import Mastra", AUTH)
    root = write_project(tmp_path / "app", {INDEX: source, ".env": "SHOP_KEY=sk-shop-4711\n"})
    custom = source.replace("ApiKeys({'shop': Secret.env('SHOP_KEY')})", "Own()").replace(
        "mastra = ",
        "class Own:\n    def authenticate(self, token, _):\n        return None\n\nmastra = ",
    )
    with run_dev(root) as dev:
        command = dev.wait_until_ready().wait_for_line("^  try: (.*)")[1]
        assert '"text":"echo: hello"' in run_shell(command, root)
        assert "sk-shop-4711" not in dev.text
    with run_dev(root, SHOP_KEY="sk-exported-1") as dev:
        command = dev.wait_until_ready().wait_for_line("^  try: (.*)")[1]
        assert '"text":"echo: hello"' in run_shell(command, root, SHOP_KEY="sk-exported-1")
    (root / INDEX).write_text(custom)
    with run_dev(root) as dev:
        command = dev.wait_until_ready().wait_for_line("^  try: (.*)")[1]
        assert '"success":true' in run_shell(command, root)


def run_shell(command, root, **environment):
    values = {"PATH": "/usr/bin:/bin", **environment}
    done = subprocess.run(
        command, shell=True, cwd=root, env=values, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_printed_curl_works(fresh):
    command = next(line for line in fresh.lines if line.startswith("  try: "))
    done = subprocess.run(
        command.removeprefix("  try: "), shell=True, capture_output=True, text=True, check=True
    )
    assert '"text":"' in done.stdout and "hello" in done.stdout


def test_a_workflow_gets_a_curl_with_a_valid_input(tmp_path, mastra):
    mastra("new", "shop", cwd=tmp_path).ok()
    root = tmp_path / "shop"
    index = root / INDEX
    index.write_text(index.read_text().replace('agents={"greeter": greeter},', ""))
    with run_dev(root) as dev:
        command = dev.wait_until_ready().wait_for_line("^  try: (.*)")[1]
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
        assert '"status":"success"' in done.stdout, done.stdout


def test_a_taken_port(tmp_path, dev):
    port = dev.url.rpartition(":")[2]
    root = write_project(tmp_path / "app", {"main.py": STARLETTE})
    for arguments, environment in ((("--port", port), {}), ((), {"PORT": port})):
        other = Dev(root, "--app", "main:app", *arguments, **environment)
        assert other.wait_for_exit() == 2
        assert f"Cannot listen on 127.0.0.1:{port}: Address already in use." in other.text
    with run_dev(root, "--app", "main:app", "--port", "0") as running:
        taken = int(running.wait_until_ready().url.rpartition(":")[2])
        source = ECHO.replace("logger", f"server={{'port': {taken}}}, logger")
        second = write_project(tmp_path / "second", {INDEX: source})
        next_one = Dev(second)
        try:
            next_one.wait_for_line(rf"note: Port {taken} is in use, so port (\d+)")
            assert next_one.wait_until_ready().ask().json()["text"] == "echo: x"
        finally:
            assert next_one.stop() == 0


def test_a_second_command_names_the_first(dev, app):
    with run_dev(app) as second:
        second.wait_for_line(rf"Another mastra dev \(pid {dev.process.pid}\) .*: {dev.url}")
        assert second.wait_until_ready().url != dev.url
    third = Dev(app, "--port", dev.url.rpartition(":")[2])
    assert third.wait_for_exit() == 2
    assert f"Another mastra dev (pid {dev.process.pid})" in third.text


@pytest.mark.parametrize(
    ("sig", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_the_children(app, sig, code):
    dev = Dev(app, "--port", "0").wait_until_ready()
    children = dev.children()
    assert children
    assert dev.stop(sig) == code
    assert all(wait_until_gone(pid) for pid in children)
    assert "Traceback" not in dev.text


INTERRUPTED = """\
import os, signal, sys

if any(word.endswith("app_child.py") for word in sys.orig_argv):
    os.kill(os.getpid(), signal.SIGINT)
"""


def test_ctrl_c_in_a_child_is_left_to_the_parent(tmp_path):
    """A terminal sends the signal to the children too, perhaps before they have a handler."""
    root = write_project(tmp_path / "app", {INDEX: ECHO, "start/sitecustomize.py": INTERRUPTED})
    dev = Dev(root, "--port", "0", PYTHONPATH=str(root / "start")).wait_until_ready()
    for child in dev.children():
        os.kill(child, signal.SIGINT)
    time.sleep(0.5)  # a child that ends accepts requests for a moment
    assert dev.ask("hello").json()["text"] == "echo: hello"
    assert dev.stop(signal.SIGINT) == 130
    assert "KeyboardInterrupt" not in dev.text


def test_a_killed_command_leaves_no_orphans(tmp_path):
    root = write_project(tmp_path / "app", {INDEX: ECHO})
    dev = Dev(root, "--port", "0").wait_until_ready()
    hanging = "import time\ntime.sleep(600)\n"
    dev.save(INDEX, hanging)
    end = time.monotonic() + 30
    while len(children := dev.children()) < 2:  # one serves, one is being imported
        assert time.monotonic() < end, dev.text
        time.sleep(0.05)
    dev.process.kill()
    dev.process.wait()
    assert all(wait_until_gone(pid) for pid in children)
    dev.stop()


SLEEP = "import time; print('the agent sleeps', flush=True); time.sleep(20)"


def test_a_second_interrupt_skips_the_drain(tmp_path):
    slow = ECHO.replace("    yield", f"    {SLEEP}\n    yield")
    root = write_project(tmp_path / "app", {INDEX: slow})
    dev = Dev(root, "--port", "0").wait_until_ready()
    thread = threading.Thread(target=lambda: _ignore_errors(dev.ask))
    thread.start()
    dev.wait_for_line("the agent sleeps")
    dev.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    start = time.monotonic()
    assert dev.stop(signal.SIGINT) == 130
    assert time.monotonic() - start < 5
    thread.join()


def _ignore_errors(call):
    with contextlib.suppress(httpx.HTTPError):
        call()


def test_a_crash_is_reported_and_a_save_restarts(tmp_path):
    source = "import os\n" + STARLETTE.replace(
        "return PlainTextResponse(",
        "os._exit(7) if request.query_params.get('die') else None\n    return PlainTextResponse(",
    )
    root = write_project(tmp_path / "app", {"main.py": source})
    with run_dev(root, "--app", "main:app") as dev:
        dev.wait_until_ready()
        _ignore_errors(lambda: dev.get("/?die=1"))
        dev.wait_for_line(r"The app ended its process while it served \(exit 7\)")
        assert dev.get("/").status_code == 503
        dev.save("main.py", source + "\n")
        dev.wait_for_line("reloaded in")
        assert dev.get("/?name=Ada").text == "Ada"
