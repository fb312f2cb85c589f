"""What the benchmark of agents prints, and how it reads the processor time of a server."""

import os
import sys
import time

import pytest

from tests.bench.bench_scripts import load_module

agent_load = load_module("agent_load")
server = load_module("server")

BUSY_CHILD = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "while True: pass"]).wait()
"""


def build_samples(rates):
    return [
        agent_load.AgentSample(rate=rate, p50=1, p99=2, failed=0, memory=3, processor=1000 / rate)
        for rate in rates
    ]


def test_ratios_are_those_of_pairs():
    samples = {
        ("stream", 32, "ours"): build_samples([90, 200, 60]),
        ("stream", 32, "peer"): build_samples([100, 250, 50]),
    }
    _, _, ours, other = agent_load.format_agents(samples)
    assert ours == "| stream | 32 | ours | 90 |  | 11.1 |  | 1.0 | 2 | 0 | 3 |"
    assert "| 100 | 0.90 (0.73 to 1.20) | 10.0 | 1.11 (" in other


def test_a_side_without_answers_has_no_ratio():
    samples = {
        ("stream", 1, "ours"): build_samples([90]),
        ("stream", 1, "peer"): [agent_load.AgentSample(rate=0, p50=0, p99=0, failed=0)],
    }
    assert "| peer | 0 |  | 0.0 |  |" in agent_load.format_agents(samples)[-1]


def test_telemetry_is_compared_with_the_same_side():
    samples = {
        ("generate", 1, "ours with telemetry"): build_samples([45, 90, 100]),
        ("generate", 1, "ours"): build_samples([50, 100, 100]),
        ("generate", 1, "peer with telemetry"): build_samples([20, 20, 25]),
        ("generate", 1, "peer"): build_samples([40, 40, 40]),
    }
    assert agent_load.format_telemetry(samples)[2:] == [
        "| generate | 1 | ours | 0.90 | 1.11 |",
        "| generate | 1 | peer | 0.50 | 2.00 |",
    ]


@pytest.mark.slow
def test_processor_time_includes_children(tmp_path):
    command = [sys.executable, "-c", BUSY_CHILD]
    with server.start_server(command, cwd=tmp_path, env=os.environ) as busy:
        deadline = time.monotonic() + 30
        while busy.measure_processor_time() < 0.5 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert busy.measure_processor_time() >= 0.5
