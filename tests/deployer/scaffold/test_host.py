"""`mastra new host`: what it writes passes the real tools, and what it says runs the app."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import yaml

ENV = '[tool.mastra.env]\nrequired = ["OPENAI_API_KEY"]\noptional = ["SENTRY_DSN"]\n'
SERVER = ", server={'port': 4321, 'drain_timeout': 20.5})"
FILES = {
    "docker": ["Dockerfile", ".dockerignore"],
    "compose": ["compose.yaml"],
    "kubernetes": [
        f"kubernetes/{name}.yaml"
        for name in ("autoscaler", "deployment", "disruption-budget", "service")
    ],
    "systemd": ["systemd/app.service"],
    "blue-green": [f"blue-green/{name}" for name in ("app@.service", "nginx.conf", "switch.py")],
    "procfile": ["Procfile"],
}
ASGI = """\
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hullo"})
"""
_SERVING = re.compile(r"Serving .* on http://\S+:(\d+)")


@pytest.fixture
def shop(project, echo):
    """A project that declares variables, not built yet."""
    return project({"src/mastra/index.py": echo}, ENV)


@pytest.fixture(scope="module")
def built(tmp_path_factory, mastra):
    """A built project with a port, a drain and one Python of its own, and files for every host."""
    from tests.sample_projects import ECHO, write_project

    source = ECHO.replace("logger=False)", "logger=False" + SERVER)
    root = write_project(
        tmp_path_factory.mktemp("hosts") / "app", {"src/mastra/index.py": source}, ENV
    )
    mastra("build", cwd=root).ok()
    for kind in FILES:
        mastra("new", "host", kind, cwd=root).ok()
    return root


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def find_tool(name):
    return str(Path(sys.executable).with_name(name))


def require_debian_tool(name):
    """A program of the system's; CI has to have it."""
    found = shutil.which(name)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            f"there is no {name} on this machine"
        )
    return found


@contextlib.contextmanager
def run_app(command, cwd, **environment):
    """A program that serves; gives a client, then ends it with SIGTERM."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    values = {"HOST": "127.0.0.1", "OPENAI_API_KEY": "x", **environment, "PATH": path}
    log = (cwd / "log").open("w+")
    process = subprocess.Popen(command, cwd=cwd, env=values, stdout=log, stderr=log)
    try:
        while not (found := _SERVING.search((cwd / "log").read_text())):
            assert process.poll() is None, (cwd / "log").read_text()
            time.sleep(0.02)
        url = f"http://127.0.0.1:{found[1]}"
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)
        log.close()
    assert code in (0, 128 + signal.SIGTERM), (cwd / "log").read_text()  # honcho tells what it got


@pytest.mark.parametrize("kind", FILES)
def test_the_files_are_written_and_reproducible(shop, mastra, kind):
    answer = mastra("new", "host", kind, "--json", cwd=shop).ok().json
    assert sorted(answer["files"]) == sorted(str(shop / name) for name in FILES[kind])
    first = {name: (shop / name).read_bytes() for name in FILES[kind]}
    mastra("new", "host", kind, cwd=shop).ok()
    assert {name: (shop / name).read_bytes() for name in FILES[kind]} == first
    assert not any(b"<<" in content for content in first.values())


@pytest.mark.parametrize("kind", FILES)
def test_an_existing_file_is_replaced_only_with_force(shop, mastra, kind):
    mine = shop / FILES[kind][-1]
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    mastra("new", "host", kind, cwd=shop).failed(2, "exists already", "--force")
    assert mine.read_text() == "mine"
    assert [path for name in FILES[kind] if (path := shop / name).exists()] == [mine]
    mastra("new", "host", kind, "--force", cwd=shop).ok()
    assert mine.read_text() != "mine"


def test_mistakes_are_reported_with_a_hint(shop, mastra, tmp_path):
    mastra("new", "host", "dokcer", cwd=shop).failed(2, "'dokcer'", "'docker'")
    mastra("new", "host", "docker", cwd=tmp_path).failed(2, "no application")
    mastra("new", "host", cwd=shop).failed(2, "KIND")
    (shop / "pyproject.toml").write_text('[tool.mastra.env]\nrequired = ["A: {}"]\n')
    mastra("new", "host", "compose", cwd=shop).failed(2, "'A: {}'")


def test_unknown_facts_are_noted(shop, mastra):
    output = mastra("new", "host", "kubernetes", cwd=shop).ok().err
    assert (
        "There is no bundle yet. The files assume port 3000, a drain timeout of 5 s and one"
        in output
    )
    assert "registry.example/app:latest" in output


def test_no_value_of_a_variable_is_ever_written(shop, mastra):
    (shop / ".env").write_text("OPENAI_API_KEY=sk-secret\nSENTRY_DSN=sk-secret\n")
    for kind, names in FILES.items():
        mastra("new", "host", kind, cwd=shop, OPENAI_API_KEY="sk-secret").ok()
        assert not any("sk-secret" in (shop / name).read_text() for name in names)


def test_hadolint_finds_nothing_in_the_dockerfile(shop, mastra):
    mastra("new", "host", "docker", cwd=shop).ok()
    done = run(find_tool("hadolint"), "--no-fail", "--format", "json", shop / "Dockerfile")
    assert json.loads(done.stdout) == []


@pytest.mark.slow
def test_the_image_runs_the_bundle_and_its_health_check(built, tmp_path):
    lines = re.sub(r"\\\n\s+", "", (built / "Dockerfile").read_text()).splitlines()
    output = {line.split(" ")[0]: line for line in lines if line and not line.startswith("#")}
    assert output["USER"] == "USER 65532:65532"
    assert output["EXPOSE"] == "EXPOSE 4321"
    command, health = (
        json.loads(output[word][output[word].index("[") :]) for word in ("CMD", "HEALTHCHECK")
    )
    shutil.copytree(built / ".mastra", tmp_path / "app")
    with run_app(command, tmp_path / "app", PORT="0") as client:
        port = str(client.base_url.port)
        assert client.get("/health").json() == {"success": True}
        assert run(*health, env={**os.environ, "PORT": port}).returncode == 0
    assert run(*health, env={**os.environ, "PORT": port}).returncode == 1


@pytest.mark.parametrize("image", ["", "registry.example/team/shop:1"])
def test_compose_fits_its_schema(shop, mastra, image):
    mastra("new", "host", "compose", "--image", image, cwd=shop).ok()
    schema = ("--builtin-schema", "vendor.compose-spec")
    done = run(find_tool("check-jsonschema"), *schema, shop / "compose.yaml")
    assert done.returncode == 0, done.stdout
    service = yaml.safe_load((shop / "compose.yaml").read_text())["services"]["app"]
    assert service["read_only"] is True
    assert ("volumes" in service) == (not image)
    assert service["environment"]["OPENAI_API_KEY"] == "${OPENAI_API_KEY:?set it in .env}"
    assert service["environment"]["SENTRY_DSN"] is None


@pytest.mark.parametrize("version", ["1.30.0", ""])
def test_kubernetes_accepts_every_file(shop, mastra, version):
    config = '[tool.mastra.targets.oci]\nimage = "registry.example/team/shop"\ntag = "live"\n'
    with (shop / "pyproject.toml").open("a") as file:
        file.write(config)
    mastra("new", "host", "kubernetes", cwd=shop).ok()
    files = [str(shop / name) for name in FILES["kubernetes"]]
    wanted = ("-k", version) if version else ()
    done = run(find_tool("kubernetes-validate"), "--strict", *wanted, *files)
    assert done.returncode == 0, done.stdout + done.stderr
    container = load_pod(shop)["containers"][0]
    assert container["image"] == "registry.example/team/shop:live"
    optional = container["env"][-1]["valueFrom"]["secretKeyRef"]
    assert optional == {"name": "app-env", "key": "SENTRY_DSN", "optional": True}


def load_pod(root):
    deployment = yaml.safe_load((root / "kubernetes/deployment.yaml").read_text())
    return deployment["spec"]["template"]["spec"]


@pytest.mark.slow
def test_port_drain_and_scaling_are_the_apps_own(built):
    spec, container = load_pod(built), load_pod(built)["containers"][0]
    assert spec["terminationGracePeriodSeconds"] == 5 + 21 + 10
    assert container["ports"] == [{"name": "http", "containerPort": 4321}]
    assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "http"}
    scaler = yaml.safe_load((built / "kubernetes/autoscaler.yaml").read_text())["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)  # it has no workflows
    service = yaml.safe_load((built / "compose.yaml").read_text())["services"]["app"]
    assert service["stop_grace_period"] == "31s"


def test_runs_that_live_in_one_process_are_not_scaled(shop, mastra):
    mastra("new", "host", "kubernetes", cwd=shop).ok()
    text = (shop / "kubernetes/autoscaler.yaml").read_text()
    assert "minReplicas: 1\n  maxReplicas: 1\n" in text
    assert "durable engine" in text


STORED = "logger=False, storage='sqlite:///{}', memory=Memory())"
IMPORTS = "from mastra_core import Mastra", "from mastra_core import Mastra, Memory"


@pytest.fixture
def stored(project, echo):
    """Make a project whose memory is a database in a file."""

    def make(path="app.db", config=""):
        source = echo.replace("logger=False)", STORED.format(path)).replace(*IMPORTS)
        return project({"src/mastra/index.py": source}, config)

    return make


def test_kubernetes_runs_one_pod_with_a_volume_for_a_database(stored, mastra):
    root = stored("state/app.db")
    output = mastra("new", "host", "kubernetes", cwd=root).ok().err
    assert "'sqlite:///state/app.db' (src/mastra/index.py:6)" in output
    assert "a volume at /data/state" in output
    files = sorted(map(str, (root / "kubernetes").iterdir()))
    done = run(find_tool("kubernetes-validate"), "--strict", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    deployment = yaml.safe_load((root / "kubernetes/deployment.yaml").read_text())["spec"]
    assert deployment["strategy"] == {"type": "Recreate"}
    container, pod = load_pod(root)["containers"][0], load_pod(root)
    assert container["workingDir"] == "/data"
    assert [each["mountPath"] for each in container["volumeMounts"]] == ["/tmp", "/data/state"]
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsUser"]
    claim = yaml.safe_load((root / "kubernetes/volume.yaml").read_text())["metadata"]["name"]
    assert pod["volumes"][1]["persistentVolumeClaim"]["claimName"] == claim
    scaler = yaml.safe_load((root / "kubernetes/autoscaler.yaml").read_text())["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 1)


@pytest.mark.parametrize("image", ["", "registry.example/team/shop:1"])
def test_compose_mounts_a_directory_for_a_database(stored, mastra, image):
    root = stored("/var/data/app.db")
    answer = mastra("new", "host", "compose", "--image", image, cwd=root).ok()
    assert "sudo install -d -o 65532 -g 65532 data" in answer.out
    schema = ("--builtin-schema", "vendor.compose-spec")
    done = run(find_tool("check-jsonschema"), *schema, root / "compose.yaml")
    assert done.returncode == 0, done.stdout
    service = yaml.safe_load((root / "compose.yaml").read_text())["services"]["app"]
    assert service["volumes"][-1]["target"] == "/var/data"
    assert service["volumes"][-1]["bind"] == {"create_host_path": False}
    assert len(service["volumes"]) == (1 if image else 2)


def test_docker_has_a_directory_for_a_database_that_the_user_owns(stored, mastra):
    root = stored()
    answer = mastra("new", "host", "docker", cwd=root).ok()
    assert "-v app-data:/data app" in answer.out
    text = (root / "Dockerfile").read_text()
    assert 'RUN ["install", "-d", "-o", "65532", "-g", "65532", "/data"]\nWORKDIR /data\n' in text
    assert 'CMD ["python", "/app/index.py"]' in text
    done = run(find_tool("hadolint"), "--no-fail", "--format", "json", root / "Dockerfile")
    assert json.loads(done.stdout) == []


def test_systemd_has_a_directory_for_a_database(stored, mastra):
    root = stored("state/app.db")
    mastra("new", "host", "systemd", cwd=root).ok()
    assert "\nStateDirectory=app app/state\n" in (root / "systemd/app.service").read_text()
    root = stored("/data/app.db")
    mastra("new", "host", "systemd", "--force", cwd=root).failed(2, "'/data'", "sqlite:///app.db")


@pytest.mark.parametrize("path", ["/app.db", "/tmp/app.db", "/app/app.db", "../app.db"])
def test_a_database_that_no_volume_can_keep_is_refused(stored, mastra, path):
    root = stored(path)
    where = "src/mastra/index.py:6: 'sqlite:///"
    mastra("new", "host", "kubernetes", cwd=root).failed(2, where, "sqlite:////data/app.db")


def test_a_database_that_a_variable_replaces_needs_no_volume(stored, mastra):
    root = stored(config='[tool.mastra.env]\nrequired = ["DB"]\n')
    index = root / "src/mastra/index.py"
    text = index.read_text().replace("'sqlite:///app.db'", "os.environ.get('DB', 'sqlite:///a.db')")
    index.write_text(f"import os\n{text}")
    mastra("new", "host", "kubernetes", cwd=root).ok()
    assert not (root / "kubernetes/volume.yaml").exists()


def test_an_app_of_another_framework_gets_a_tcp_probe(project, mastra):
    root = project({"main.py": ASGI}, "", dependencies=())
    mastra("new", "host", "kubernetes", "--app", "main:app", cwd=root).ok()
    mastra("new", "host", "docker", "--app", "main:app", cwd=root).ok()
    assert load_pod(root)["containers"][0]["livenessProbe"]["tcpSocket"] == {"port": "http"}
    assert "/health" not in (root / "Dockerfile").read_text()


def test_names_are_converted_for_dns(project, mastra, echo):
    root = project(
        {"src/mastra/index.py": echo, "pyproject.toml": '[project]\nname = "9 My_Shop!"\n'}
    )
    mastra("new", "host", "kubernetes", cwd=root).ok()
    service = yaml.safe_load((root / "kubernetes/service.yaml").read_text())
    assert service["metadata"]["name"] == "app-9-my-shop"


PLACES = {"kubernetes": "create secret", "systemd": "/etc/app.env", "blue-green": "/etc/app.env"}


@pytest.mark.parametrize("kind", PLACES)
def test_the_printed_commands_need_a_file_of_variables_only_for_variables(
    project, mastra, echo, kind
):
    root = project({"src/mastra/index.py": echo})
    assert ".env" not in mastra("new", "host", kind, cwd=root).ok().out
    file = root / "pyproject.toml"
    file.write_text(file.read_text() + '[tool.mastra.env]\noptional = ["GREETING"]\n')
    assert PLACES[kind] in mastra("new", "host", kind, "--force", cwd=root).ok().out


@pytest.mark.parametrize("path", ["systemd/app.service", "blue-green/app@.service"])
def test_systemd_accepts_the_unit_and_rates_it_hardened(shop, mastra, path):
    kind, name = path.split("/")
    mastra("new", "host", kind, cwd=shop).ok()
    unit = shop / path
    analyze = require_debian_tool("systemd-analyze")
    done = run(analyze, "verify", "--man=no", unit)
    assert done.returncode == 0, done.stderr
    assert name not in done.stderr
    done = run(analyze, "security", "--offline=true", "--threshold=15", unit)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_the_command_of_the_unit_serves_and_stops_in_time(built, tmp_path):
    text = (built / "systemd/app.service").read_text()
    settings = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))
    assert settings["TimeoutStopSec"] == "31"
    assert "PORT=4321" in settings["Environment"]
    command = shlex.split(settings["ExecStart"].replace("/opt/app", str(built / ".mastra")))
    with run_app(command, tmp_path, PORT="0") as client:
        assert client.get("/ready").json() == {"ready": True}


# What systemd does for a unit: start a process, send SIGTERM, wait for its end.
SLOT = """\
import os, signal, subprocess, sys, time
from pathlib import Path

command, port, index = sys.argv[1:]
file = Path(__file__).with_name(f"{port}.pid")
if command == "start":
    values = {**os.environ, "PORT": port, "HOST": "127.0.0.1", "OPENAI_API_KEY": "x"}
    log = open(f"{file}.log", "a")
    process = subprocess.Popen([sys.executable, index], env=values, stdout=log, stderr=log)
    file.write_text(str(process.pid))
elif file.exists():
    pid = int(file.read_text())
    file.unlink()
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        time.sleep(0.05)
"""


def find_free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def send_requests(upstream):
    """Send requests to the slot that the proxy would choose; gives the list of the answers."""
    answers, ended = [], threading.Event()

    def send():
        while not ended.wait(0.02):
            port = re.search(r":(\d+);", upstream.read_text())[1]
            try:
                answers.append(httpx.get(f"http://127.0.0.1:{port}/ready").status_code)
            except httpx.HTTPError as error:
                answers.append(repr(error))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def open_slots(built, tmp_path, reload="true"):
    """The command that switches two slots, which it starts as plain processes; and its files."""
    blue, green = map(str, find_free_ports(2))
    text = (built / "blue-green/switch.py").read_text()
    assert 'PORTS = {"blue": 4321, "green": 4322}' in text
    script, helper, upstream = (tmp_path / name for name in ("switch.py", "slot.py", "upstream"))
    script.write_text(text.replace("4321", blue).replace("4322", green))
    helper.write_text(SLOT)
    slot = f"{sys.executable} {helper} %s {{port}} {built}/.mastra/index.py"
    values = {
        "UPSTREAM": str(upstream),
        "START": slot % "start",
        "STOP": slot % "stop",
        "RELOAD": reload,
        "PROXY_SECONDS": "0.5",
    }

    def switch(*arguments, **changes):
        environment = {**os.environ, **values, **changes}
        return run(sys.executable, script, *arguments, env=environment)

    try:
        yield SimpleNamespace(switch=switch, upstream=upstream, blue=blue, green=green)
    finally:
        for port in (blue, green):
            run(sys.executable, helper, "stop", port, "")


@pytest.mark.slow
def test_slots_are_switched_when_ready_and_back(built, tmp_path):
    with open_slots(built, tmp_path) as slots:
        switch, upstream, blue, green = slots.switch, slots.upstream, slots.blue, slots.green
        assert "The slot blue gets the requests." in switch().stdout
        with send_requests(upstream) as answers:
            assert "The slot blue has stopped." in switch().stdout
            assert upstream.read_text() == f"server 127.0.0.1:{green};\n"
            assert not (tmp_path / f"{blue}.pid").exists()
            failed = switch(START="true", READY_SECONDS="0.5")
            assert (failed.returncode, "was not ready in 0.5 s" in failed.stderr) == (1, True)
            failed = switch(RELOAD="false")
            assert (failed.returncode, "could not be reloaded" in failed.stderr) == (1, True)
            assert upstream.read_text() == f"server 127.0.0.1:{green};\n"
            assert not (tmp_path / f"{blue}.pid").exists()
            assert switch("blue").returncode == 0
            assert "already" in switch("blue").stderr
            assert "no slot 'red'" in switch("red").stderr
        assert set(answers) == {200}
        assert upstream.read_text() == f"server 127.0.0.1:{blue};\n"


NGINX = """\
daemon off;
%s
pid %s/nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    include %s;
}
"""


@contextlib.contextmanager
def run_proxy(command, url):
    process = subprocess.Popen(command)
    try:
        while True:
            assert process.poll() is None
            with contextlib.suppress(httpx.TransportError):
                httpx.get(url, trust_env=False)
                break
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(signal.SIGQUIT)  # after the last response
        process.wait(20)


@contextlib.contextmanager
def send_posts(url):
    """Send requests that must not be repeated, several at once; gives the list of the answers."""
    answers, ended = [], threading.Event()

    def send():
        # A proxy may close an idle connection at the moment when the client sends a request.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=url, timeout=20, trust_env=False, limits=limits) as client:
            while not ended.is_set():
                try:
                    answer = client.post("/api/agents/echo/generate", json={"messages": "x"})
                    answers.append(answer.json()["text"])
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    answers.append(repr(error))
                time.sleep(0.02)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.slow
def test_nginx_loses_no_request_when_slots_are_switched(built, tmp_path):
    nginx, port = require_debian_tool("nginx"), find_free_ports(1)[0]
    config, site = tmp_path / "main.conf", tmp_path / "site.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # workers read the directory of the test
    config.write_text(NGINX % (user, tmp_path, site))
    command = [nginx, "-e", "stderr", "-p", str(tmp_path), "-c", str(config)]
    with open_slots(built, tmp_path, shlex.join([*command, "-s", "reload"])) as slots:
        text = (built / "blue-green/nginx.conf").read_text()
        for before, after in (
            ("/etc/nginx/app-upstream.conf", str(slots.upstream)),
            ("listen 80;", f"listen 127.0.0.1:{port};"),
        ):
            assert text.count(before) == 1
            text = text.replace(before, after)
        site.write_text(text)
        assert slots.switch(RELOAD="true").returncode == 0
        checked = run(*command, "-t")
        assert checked.returncode == 0, checked.stderr
        assert "warn" not in checked.stderr
        url = f"http://127.0.0.1:{port}"
        with run_proxy(command, url), send_posts(url) as answers:
            path, headers = f"{url}/api/agents/echo/generate", {"origin": url}
            own_page = httpx.post(path, headers=headers, trust_env=False)
            assert own_page.status_code == 400, "the port of the page is not that of the app"
            for slot in ("green", "blue"):
                count = len(answers)
                done = slots.switch(slot)
                assert f"The slot {slot} gets the requests." in done.stdout, done.stderr
                assert len(answers) > count
        assert set(answers) == {"echo: x"}


@pytest.mark.slow
def test_honcho_runs_the_procfile(built, tmp_path):
    shutil.copytree(built / ".mastra", tmp_path / ".mastra")
    shutil.copy(built / "Procfile", tmp_path)
    with run_app([find_tool("honcho"), "start"], tmp_path, PORT="0") as client:
        answer = client.post("/api/agents/echo/generate", json={"messages": "x"})
        assert answer.json()["text"] == "echo: x"


STORED_ON_THE_NETWORK = """\
import os

from mastra_core import Mastra, Memory

async def echo(text: str):
    yield text

mastra = Mastra(
    agents={"echo": echo},
    memory=Memory(),
    storage=os.environ.get("MASTRA_DATABASE_URL", "sqlite:///app.db"),
    logger=False,
)
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory, mastra, postgres_server):
    """A built project that requires a database, with files for every host that runs several."""
    from tests.sample_projects import write_project

    root = write_project(
        tmp_path_factory.mktemp("shared") / "app",
        {"src/mastra/index.py": STORED_ON_THE_NETWORK},
        '[tool.mastra.env]\nrequired = ["MASTRA_DATABASE_URL"]\n',
        dependencies=("mastra-core[postgres]",),
    )
    url = postgres_server.create_database()
    mastra("build", cwd=root, MASTRA_DATABASE_URL=url).ok()
    for kind in ("compose", "kubernetes", "systemd"):
        mastra("new", "host", kind, cwd=root).ok()
    return root, url


@pytest.mark.slow
def test_an_app_with_a_database_on_the_network_gets_it_and_several_instances(shared):
    root, _ = shared
    compose = yaml.safe_load((root / "compose.yaml").read_text())
    app, postgres = compose["services"]["app"], compose["services"]["postgres"]
    assert app["deploy"]["replicas"] == 2
    assert app["ports"] == ["3000-3001:3000"]
    assert app["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "@postgres/app" in app["environment"]["MASTRA_DATABASE_URL"]
    assert postgres["environment"]["POSTGRES_USER"] == "app"
    assert compose["volumes"] == {"postgres": None}
    scaler = yaml.safe_load((root / "kubernetes/autoscaler.yaml").read_text())
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 10)
    service, database = yaml.safe_load_all((root / "kubernetes/postgres.yaml").read_text())
    assert service["metadata"]["name"] == database["spec"]["serviceName"] == "app-postgres"
    unit = (root / "systemd/app.service").read_text()
    assert "PORT=3000 WEB_CONCURRENCY=2" in unit
    assert "LimitNOFILE=65536" in unit  # more than 1,024 connections
    assert "After=network-online.target postgresql.service" in unit
    for path in ("compose.yaml", "kubernetes"):
        schema = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", root / path]
        tool = ["kubernetes-validate", "--strict", *sorted((root / path).glob("*.yaml"))]
        command, *arguments = map(str, schema if path == "compose.yaml" else tool)
        done = run(find_tool(command), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_workers_of_the_unit_share_the_database(shared):
    root, url = shared
    unit = (root / "systemd/app.service").read_text()
    values = dict(
        re.findall(r"(\w+)=(\S+)", re.search(r"^Environment=(.*)", unit, re.MULTILINE)[1])
    )
    command = [sys.executable, str(root / ".mastra/index.py")]
    values |= {"PORT": "0", "MASTRA_DATABASE_URL": url}
    with run_app(command, root, **values) as client:
        assert "2 workers" in (root / "log").read_text()
        memory = {"thread": "t1", "resource": "ann"}
        for number in range(6):
            body = {"messages": f"m{number}", "memory": memory}
            assert client.post("/api/agents/echo/generate", json=body).status_code == 200
        listed = client.get("/api/memory/threads/t1/messages?agentId=echo&perPage=false")
        assert len(listed.json()["messages"]) == 12
