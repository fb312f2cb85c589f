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


def test_alerts_fire_when_they_should_and_only_then(monitored, tmp_path):
    path = tmp_path / "test.yaml"
    text = SCENARIOS.replace("ALERTS", str(monitored / "monitoring/alerts.yaml"))
    path.write_text(text.replace("NEVER", " ".join(["+Inf"] * 90)))
    run(require_debian_tool("promtool"), "test", "rules", path)


SCENARIOS = """\
rule_files: [ALERTS]
evaluation_interval: 1m
tests:
  - name: a healthy app
    interval: 1m
    input_series:
      - {series: 'up{job="app", instance="a"}', values: '1x90'}
      - series: 'http_server_request_duration_seconds_count{job="app", status="200"}'
        values: '0+600x90'
      - series: 'http_server_request_duration_seconds_count{job="app", status="500"}'
        values: '0+1x90'
      - {series: 'mastra_workflow_oldest_run_start_time_seconds{job="app"}', values: 'NEVER'}
      - series: 'mastra_model_tokens_total{job="app", agent="a", model="m", type="input"}'
        values: '0+1000x90'
      - {series: 'mastra_log_lines_lost_total{job="app", transport="stream"}', values: '0x90'}
    alert_rule_test:
      - {eval_time: 80m, alertname: AppDown}
      - {eval_time: 80m, alertname: RequestErrors}
      - {eval_time: 80m, alertname: StuckRun}
      - {eval_time: 80m, alertname: TokenSpend}
      - {eval_time: 80m, alertname: LogLinesLost}
  - name: an app in trouble
    interval: 1m
    input_series:
      - {series: 'up{job="app", instance="a"}', values: '0x90'}
      - series: 'http_server_request_duration_seconds_count{job="app", status="200"}'
        values: '0+600x90'
      - series: 'http_server_request_duration_seconds_count{job="app", status="500"}'
        values: '0+200x90'
      - {series: 'mastra_workflow_oldest_run_start_time_seconds{job="app"}', values: '60x90'}
      - series: 'mastra_model_tokens_total{job="app", agent="a", model="m", type="input"}'
        values: '0+100000x90'
      - {series: 'mastra_log_lines_lost_total{job="app", transport="stream"}', values: '0+5x90'}
    alert_rule_test:
      - eval_time: 80m
        alertname: AppDown
        exp_alerts:
          - exp_labels: {job: app, instance: a, severity: critical}
            exp_annotations: {summary: a does not answer}
      - eval_time: 80m
        alertname: RequestErrors
        exp_alerts:
          - exp_labels: {job: app, severity: critical}
            exp_annotations: {summary: 25% of the requests fail}
      - eval_time: 80m
        alertname: StuckRun
        exp_alerts:
          - exp_labels: {job: app, severity: warning}
            exp_annotations: {summary: A workflow run is active for 1h 19m 0s}
      - eval_time: 80m
        alertname: TokenSpend
        exp_alerts:
          - exp_labels: {job: app, severity: warning}
            exp_annotations: {summary: 6M tokens were used in one hour}
      - eval_time: 80m
        alertname: LogLinesLost
        exp_alerts:
          - exp_labels: {job: app, transport: stream, severity: warning}
            exp_annotations: {summary: The log transport stream lost 50 lines}
"""


def test_the_compose_file_fits_its_schema_and_the_other_files(monitored):
    path = monitored / "monitoring/compose.yaml"
    run(find_tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", path)
    services = yaml.safe_load(path.read_text())["services"]
    assert set(services) == {"collector", "prometheus", "grafana"}
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
