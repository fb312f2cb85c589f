"""Every benchmark runs in its quick form, and prints the figures that its full form prints.

The figures depend on the machine, so these tests look only at what is there.
"""

import math
import os
import platform
import shutil

import pytest

from tests.bench.bench_scripts import load_module, run_script

ROWS = load_module("rows").ROWS


def is_sane(values):
    return bool(values) and all(math.isfinite(value) and value > 0 for value in values)


def fail_in_ci(message):
    """Skip; fail in CI, where everything is installed."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(message)


@pytest.fixture(scope="module")
def product_run(tmp_path_factory):
    return run_script("run.py", tmp_path_factory.mktemp("run"))


@pytest.mark.full
@pytest.mark.slow
def test_no_group_fails(product_run):
    results, _ = product_run
    assert results["missing"] == {"peer": "left out"}


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.product)
def test_row(product_run, row):
    results, printed = product_run
    samples = results["samples"][row.product]
    if row.product == "workflow.growth":  # may be nothing, or less than before
        assert samples and all(abs(value) < 100 for value in samples)
    else:
        assert is_sane(samples)
    (line,) = [
        cells
        for cells in ([cell.strip() for cell in line.split("|")] for line in printed.splitlines())
        if cells[1:3] == [row.title, row.unit]
    ]
    assert line[4] not in ("", "-")
    assert line[5] == ""  # the quick form judges no aim


@pytest.mark.slow
def test_agents(tmp_path):
    figures, printed = run_script("agents.py", tmp_path)
    assert list(figures) == ["generate", "generate, both keep the history", "stream"]
    for name, comparison in figures.items():
        assert is_sane(comparison.values())
        assert name in printed


@pytest.mark.slow
def test_faults(tmp_path):
    figures, _ = run_script("faults.py", tmp_path)
    assert sum(figures["runs"].values()) == 5
    assert 0 < figures["failed"] < figures["requests"]


@pytest.mark.full
@pytest.mark.slow
def test_durable(tmp_path):
    parts = [word for part in ("http", "recovery", "memory") for word in ("--only", part)]
    figures, printed = run_script("durable.py", tmp_path, *parts, "--runs", "50")
    assert is_sane([figures["http"]["rate"], *figures["recovery"]["seconds"]])
    assert is_sane([figures["memory"]["first"], figures["memory"]["bytes"]])
    assert "through HTTP" in printed


@pytest.mark.full
@pytest.mark.slow
def test_upload(tmp_path):
    ratios, printed = run_script("upload.py", tmp_path)
    assert list(ratios) == ["1", "5", "10", "20", "25"]
    assert all(ratio >= 0.99 for ratio in ratios.values()), ratios  # none is faster than the ideal
    assert "100 files" in printed


@pytest.mark.full
@pytest.mark.slow
def test_load(tmp_path):
    if shutil.which("wrk") is None:
        fail_in_ci("wrk is not installed")
    options = ("--part", "routes", "--only", "ours", "--only", "bare")
    samples, _ = run_script("load.py", tmp_path, *options)
    assert len(samples) == 3 * 2 + 2  # three requests by two numbers of clients; bare has one
    for key, (sample,) in samples.items():
        assert sample.pop("failed") == 0, key
        assert is_sane(sample.values()), (key, sample)


@pytest.mark.full
@pytest.mark.slow
def test_load_of_agents(tmp_path):
    if shutil.which("wrk") is None:
        fail_in_ci("wrk is not installed")
    options = ("--part", "agents", "--only", "ours", "--telemetry")
    samples, printed = run_script("load.py", tmp_path, *options)
    runs = [(kind, clients) for kind in ("generate", "stream") for clients in (1, 32)]
    sides = ("ours", "ours with telemetry")
    assert set(samples) == {f"{kind} {clients} {each}" for kind, clients in runs for each in sides}
    for row, (sample,) in samples.items():
        assert sample.pop("failed") == 0, row
        assert is_sane(sample.values()), (row, sample)
    for kind, clients in runs:
        assert printed.count(f"| {kind} | {clients} | ours | ") == 2  # both tables
        assert printed.count(f"| {kind} | {clients} | ours with telemetry | ") == 1


@pytest.mark.full
@pytest.mark.slow
def test_telemetry(tmp_path):
    samples, printed = run_script("telemetry.py", tmp_path)
    assert len(samples) == 3 * 5  # three requests by no telemetry and four samplings
    assert all(map(is_sane, samples.values())), samples
    assert printed.count("| always_on |") == 1


@pytest.mark.full
@pytest.mark.slow
def test_pack_others(tmp_path):
    samples, printed = run_script("pack_others.py", tmp_path, "--only", "plain")
    rows = {"cold": "build, nothing kept but wheels", "size": "result"}
    rows["first"] = "first start to /health"
    assert_table(rows, ("ours", "pex", "shiv"), samples, printed)


@pytest.mark.full
@pytest.mark.slow
def test_vercel(tmp_path, find_python):
    find_python("3.12")
    samples, printed = run_script("vercel.py", tmp_path, "--only", "plain")
    rows = {"first": "build, nothing cached but uv", "size": "function", "files": "function"}
    rows |= {"upload": "upload, first", "started": "start to server-started"}
    rows["health"] = "start to first /health"
    assert_table(rows, ("ours", "theirs"), samples, printed)


@pytest.mark.full
@pytest.mark.slow
def test_netlify(tmp_path):
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("functions for Netlify run on Linux on x86_64")
    samples, printed = run_script("netlify.py", tmp_path, "--only", "plain")
    rows = samples["plain"]
    assert set(rows) == set(load_module("netlify").ROWS)
    assert all(map(is_sane, rows.values())), rows
    assert printed.count("| plain |") == len(rows)


@pytest.mark.full
@pytest.mark.slow
def test_cloudflare(tmp_path):
    samples, printed = run_script("cloudflare.py", tmp_path, "--only", "plain")
    rows = samples["plain"]
    assert set(rows) == set(load_module("cloudflare").ROWS)
    assert math.isfinite(rows.pop("health")[0])  # a difference, which may be negative
    assert all(map(is_sane, rows.values())), rows
    assert printed.count("| plain |") == len(rows) + 1


def assert_table(rows, sides, samples, printed):
    """Assert that every side has a sample of every row, and that the table has these rows."""
    assert set(samples) == {f"plain {row} {side}" for row in rows for side in sides}
    assert all(map(is_sane, samples.values())), samples
    titles = [line.split(" | ")[1] for line in printed.splitlines() if line.startswith("| plain")]
    assert titles == list(rows.values())


@pytest.mark.slow
@pytest.mark.full
def test_peer(tmp_path):
    """The TypeScript original; its packages from npm are large."""
    results, _ = run_script("run.py", tmp_path, "--only", "peer")
    if reason := results["missing"].get("peer"):
        fail_in_ci(f"the peer was not measured: {reason}")
    keys = {row.peer for row in ROWS if row.peer}
    assert keys <= set(results["samples"])
    assert all(map(is_sane, results["samples"].values())), results["samples"]


@pytest.mark.full
@pytest.mark.slow
def test_logs(tmp_path):
    figures, printed = run_script("logs.py", tmp_path)
    assert len(figures) == 3 * 3  # endpoints by ways to log
    for name, costs in figures.items():
        assert is_sane(costs), name
    assert "POST start-async" in printed
