"""`mastra new monitoring`: what it writes passes the real tools, and fits the metrics of a bundle."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from tests.deployer.scaffold.test_host import find_tool, require_debian_tool, run_app
from tests.sample_projects import write_project

APP = """\
from mastra_core import Mastra, Server

async def echo(text: str):
    yield f"echo: {text}"

mastra = Mastra(agents={"echo": echo}, logger=False, server=Server(metrics=True, port=4321))
"""
FILES = [
    f"monitoring/{name}"
    for name in (
        "alerts.yaml",
        "collector.yaml",
        "compose.yaml",
        "grafana/dashboards/app.json",
        "grafana/provisioning/dashboards/dashboards.yaml",
        "grafana/provisioning/datasources/prometheus.yaml",
        "prometheus.yaml",
    )
]
OF_PROMETHEUS = {"up"}  # what Prometheus itself records about a target
_NAME = re.compile(r"\b(?:http_server|gen_ai|mastra|process)_\w+|\bup\b")


@pytest.fixture(scope="module")
def monitored(tmp_path_factory, mastra):
    """A built project that serves metrics, with the files."""
    root = tmp_path_factory.mktemp("monitored") / "app"
    dependencies = ("mastra-core", "mastra-server[metrics]")
    write_project(root, {"src/mastra/index.py": APP}, dependencies=dependencies)
    mastra("build", cwd=root).ok()
    answer = mastra("new", "monitoring", "--json", cwd=root).ok().json
    assert sorted(answer["files"]) == [str(root / name) for name in FILES]
    return root


def read_rules(root):
    (group,) = yaml.safe_load((root / "monitoring/alerts.yaml").read_text())["groups"]
    return group["rules"]


def read_dashboard(root):
    return json.loads((root / "monitoring/grafana/dashboards/app.json").read_text())


def list_queries(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_metric_exists_in_a_scrape_of_the_bundle(monitored):
    command = [sys.executable, monitored / ".mastra/index.py"]
    with run_app(command, monitored, PORT="0") as client:
        client.post("/api/agents/echo/generate", json={"messages": "hi"})
        text = client.get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    series = {name for name, kind in kinds.items() if kind != "histogram"}
    for name, kind in kinds.items():
        if kind == "histogram":
            series |= {f"{name}_{suffix}" for suffix in ("bucket", "count", "sum")}
    queries = [rule["expr"] for rule in read_rules(monitored)]
    queries += list_queries(read_dashboard(monitored))
    used = {name for query in queries for name in _NAME.findall(query)}
    assert used - OF_PROMETHEUS - series == set()
    assert len(used) > 15
    own = {name for name in kinds if name.startswith(("mastra_", "gen_ai_", "http_server_"))}
    bases = {re.sub(r"_(bucket|count|sum)$", "", name) for name in used}
    assert {name for name in own if not name.endswith("_created")} <= bases, "nobody looks at it"


def test_the_rules_pass_promtool(monitored):
    promtool = require_debian_tool("promtool")
    told = run(promtool, "check", "rules", monitored / "monitoring/alerts.yaml")
    assert f"{len(read_rules(monitored))} rules found" in told
    config = (monitored / "monitoring/prometheus.yaml").read_text()
    here = config.replace("/etc/prometheus/", f"{monitored}/monitoring/")
    (monitored / "prometheus.yaml").write_text(here)
    run(promtool, "check", "config", monitored / "prometheus.yaml")


def test_the_queries_of_the_dashboard_pass_promtool(monitored, tmp_path):
    values = {"$job": "app", "$__rate_interval": "5m", "$__range": "1h"}
    rules = []
    for number, query in enumerate(list_queries(read_dashboard(monitored))):
        expression = re.sub(r"\$\w+", lambda found: values[found[0]], query)
        rules.append({"record": f"query:{number}", "expr": expression})
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    run(require_debian_tool("promtool"), "check", "rules", path)


def histogram(name, labels, low, high):
    """Return the series of a histogram: 60 observations a minute, between two limits or below."""
    return [
        (f'{name}_bucket{{{labels}, le="{low / 2:g}"}}', "0x90", "0x90"),
        (f'{name}_bucket{{{labels}, le="{low}"}}', "0x90", "0+60x90"),
        (f'{name}_bucket{{{labels}, le="{high}"}}', "0+60x90", "0+60x90"),
        (f'{name}_bucket{{{labels}, le="+Inf"}}', "0+60x90", "0+60x90"),
    ]


def outcomes(name, labels, above, below):
    """Return the series of 100 outcomes a minute, of which so many fail."""
    return [
        (f'{name}{{{labels}, outcome="failed"}}', f"0+{above}x90", f"0+{below}x90"),
        (f'{name}{{{labels}, outcome="ok"}}', f"0+{100 - above}x90", f"0+{100 - below}x90"),
    ]


JOB, PROCESS = 'job="app"', 'job="app", instance="a"'
AGENT, MODEL, TOOL = (f'job="app", {name}="x"' for name in ("agent", "model", "tool"))
DURATION = "http_server_request_duration_seconds"
MODEL_DURATION = "gen_ai_client_operation_duration_seconds_count"
FIRST_CHUNK = "gen_ai_client_operation_time_to_first_chunk_seconds"
OLDEST, QUEUED = "mastra_workflow_oldest_run", "mastra_workflow_oldest_queued_run"
# Of each alert: its labels, its summary, and its series with values beyond and within the limit.
ALERTS = {
    "AppDown": (PROCESS, "a does not answer", [(f"up{{{PROCESS}}}", "0x90", "1x90")]),
    "RequestErrors": (JOB, "6% of the requests fail", [
        (f'{DURATION}_count{{{JOB}, status="500"}}', "0+6x90", "0+4x90"),
        (f'{DURATION}_count{{{JOB}, status="200"}}', "0+94x90", "0+96x90")]),
    "AgentErrors": ('agent="x"', "11% of the runs of agent x fail",
        outcomes("mastra_agent_run_duration_seconds_count", AGENT, 11, 9)),
    "ModelErrors": ('model="x"', "11% of the calls of model x fail",
        outcomes(MODEL_DURATION, MODEL, 11, 9)),
    "ToolErrors": ('tool="x"', "21% of the calls of tool x fail",
        outcomes("mastra_tool_call_duration_seconds_count", TOOL, 21, 19)),
    "WorkflowErrors": ('workflow="x"', "11% of the runs of workflow x fail",
        outcomes("mastra_workflow_run_duration_seconds_count", 'job="app", workflow="x"', 11, 9)),
    "SlowRequests": (JOB, "5 % of the requests take longer than 1.95s", [
        *histogram(DURATION, f'{JOB}, route="/api/agents"', 1, 2),
        (f'{DURATION}_bucket{{{JOB}, route="/api/agents/x/stream", le="+Inf"}}',
         "0+60x90", "0+60x90")]),
    "SlowModel": ('model="x"', "Model x takes 19.5s to its first chunk",
        histogram(FIRST_CHUNK, MODEL, 10, 20)),
    "BusyProcess": (PROCESS, "a uses 0.95 processors", [
        (f"process_cpu_seconds_total{{{PROCESS}}}", "0+57x90", "0+53x90")]),
    "ManyActiveRequests": (PROCESS, "a has 201 active requests", [
        (f"http_server_active_requests{{{PROCESS}}}", "201x90", "200x90")]),
    "FewFilesLeft": (PROCESS, "a uses 81% of its files", [
        (f"process_open_fds{{{PROCESS}}}", "81x90", "80x90"),
        (f"process_max_fds{{{PROCESS}}}", "100x90", "100x90")]),
    "TokenSpend": (JOB, "6M tokens were used in one hour", [
        (f'mastra_model_tokens_total{{{MODEL}, type="input"}}', "0+60000x90", "0+40000x90"),
        (f'mastra_model_tokens_total{{{MODEL}, type="output"}}', "0+40000x90", "0+40000x90"),
        (f'mastra_model_tokens_total{{{MODEL}, type="cached"}}', "0+90000x90", "0+90000x90")]),
    "StuckRun": (JOB, "A workflow run has been active for 1h 19m 0s", [
        (f"{OLDEST}_start_time_seconds{{{JOB}}}", "60x90", "1260x90")]),
    "LostProcesses": (JOB, "15 workflow runs were taken over from processes that ended", [
        (f"mastra_workflow_takeovers_total{{{JOB}}}", "0+1x90", "0+0.1x90")]),
    "ParkedRuns": (JOB, "No process can execute 1 workflow runs: mastra runs list", [
        (f"mastra_workflow_parked_runs{{{JOB}}}", "1x90", "0x90")]),
    "LongQueue": (JOB, "1001 workflow runs wait for a process", [
        (f"mastra_workflow_queued_runs{{{JOB}}}", "1001x90", "1000x90")]),
    "QueuedRun": (JOB, "A workflow run has waited for a process for 1h 19m 0s", [
        (f"{QUEUED}_start_time_seconds{{{JOB}}}", "60x90", "4600x90")]),
    "GrowingBacklog": (JOB, "181 workflow runs are active, and their number grows", [
        (f'mastra_workflow_active_runs{{{JOB}, workflow="x"}}', "101+1x90", "181x90")]),
    "SpansDropped": (JOB, "50 spans did not reach the collector", [
        (f'mastra_telemetry_spans_total{{{JOB}, result="dropped"}}', "0+5x90", "0x90"),
        (f'mastra_telemetry_spans_total{{{JOB}, result="exported"}}', "0+5x90", "0+5x90")]),
    "LogLinesLost": ('job="app", transport="stream"', "The log transport stream lost 50 lines", [
        ('mastra_log_lines_lost_total{job="app", transport="stream"}', "0+5x90", "0x90")]),
}  # fmt: skip
IDLE = " ".join(["+Inf"] * 90)  # the start time of the oldest run, without runs


def build_scenario(title, series, fires=lambda _: []):
    """Return a test of promtool, in which ``fires(NAME)`` are the expected alerts."""
    inputs = [{"series": name, "values": values} for name, values in series]
    checks = [{"eval_time": "80m", "alertname": name, "exp_alerts": fires(name)} for name in ALERTS]
    return {"name": title, "interval": "1m", "input_series": inputs, "alert_rule_test": checks}


def list_series(column):
    return [(each[0], each[column]) for _, _, series in ALERTS.values() for each in series]


def test_each_alert_fires_beyond_its_limit_and_only_then(monitored, tmp_path):
    severities = {each["alert"]: each["labels"]["severity"] for each in read_rules(monitored)}
    assert severities.keys() == ALERTS.keys()

    def fires(name):
        text, summary, _ = ALERTS[name]
        labels = {**dict(re.findall(r'(\w+)="(\w+)"', text)), "severity": severities[name]}
        return [{"exp_labels": labels, "exp_annotations": {"summary": summary}}]

    idle = [(f"{name}_start_time_seconds{{{JOB}}}", IDLE) for name in (OLDEST, QUEUED)]
    scenarios = [
        build_scenario("beyond the limits", list_series(1), fires),
        build_scenario("within the limits", list_series(2)),
        build_scenario("an idle app", idle),
    ]
    document = {
        "rule_files": [str(monitored / "monitoring/alerts.yaml")],
        "evaluation_interval": "1m",
        "tests": scenarios,
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(document))
    run(require_debian_tool("promtool"), "test", "rules", path)


def test_the_compose_file_fits_its_schema_and_the_other_files(monitored):
    path = monitored / "monitoring/compose.yaml"
    run(find_tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", path)
    services = yaml.safe_load(path.read_text())["services"]
    assert set(services) == {"collector", "prometheus", "grafana"}
    ports = {port for each in services.values() for port in each["ports"]}
    taken = {port.split(":")[1] for port in ports} & {"3000", "3001", "4321", "4322"}
    assert not taken, "ports of the app, its second instance and its slots"
    for service in services.values():
        assert all(each.startswith("127.0.0.1:") for each in service["ports"])
        for mount in service["volumes"]:
            source = mount.partition(":")[0]
            assert not source.startswith("./") or (path.parent / source).exists(), mount
    targets = yaml.safe_load((path.parent / "prometheus.yaml").read_text())["scrape_configs"]
    assert targets[0]["static_configs"] == [{"targets": ["host.docker.internal:4321"]}]
    exporters = yaml.safe_load((path.parent / "collector.yaml").read_text())["service"]["pipelines"]
    assert set(exporters) == {"traces", "logs", "metrics"}


def test_the_panels_of_the_dashboard_do_not_overlap(monitored):
    dashboard = read_dashboard(monitored)
    cells = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24 and (x, y) not in cells, panel["title"]
                cells.add((x, y))
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)


def test_an_existing_file_is_replaced_only_with_force(project, echo, mastra):
    root = project({"src/mastra/index.py": echo})
    mine = root / FILES[0]
    mine.parent.mkdir()
    mine.write_text("mine")
    mastra("new", "monitoring", cwd=root).failed(2, "exists already", "--force")
    assert mine.read_text() == "mine"
    mastra("new", "monitoring", "--force", cwd=root).ok()
    assert mine.read_text() != "mine"
