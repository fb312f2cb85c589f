"""Schedules as arguments of a workflow."""

import msgspec
import pytest

from mastra_core import Mastra, Schedule, Workflow
from mastra_core.errors import ConfigError
from mastra_core.secret import Secret
from mastra_core.workflows.model.schedule import build_schedule_id
from tests.core.workflows.sample_steps import add_one

HOURLY = Schedule("@hourly", input=1)


class Tenant(msgspec.Struct):
    name: str


def test_schedule_makes_the_workflow_durable():
    workflow = Workflow("w", schedule=HOURLY).then(add_one)
    assert (workflow.durable, workflow.schedules) == (True, (HOURLY,))
    assert build_schedule_id("w", HOURLY) == "wf_w"
    assert Workflow("w", schedule="@daily").schedules == (Schedule("@daily"),)
    both = Workflow("w", schedule=[HOURLY, Schedule("@daily", id="d")][1:]).schedules
    assert [build_schedule_id("w", each) for each in both] == ["wf_w__d"]
    assert Workflow("w").schedules == ()


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda: 5, "is not a schedule"),
        (lambda: {"cron": "@daily"}, "is not a schedule"),
        (lambda: "daily", "does not have 5 or 6 fields"),
        (lambda: ["@daily", "@hourly"], "need different ids"),
        (lambda: [Schedule("@daily", id="a"), Schedule("@hourly", id="a")], "need different ids"),
        (lambda: Schedule("@daily", timezone="Mars/Base"), "'Mars/Base' is unknown"),
        (lambda: Schedule("@daily", timezone="../../etc/passwd"), "is unknown"),
    ],
)
def test_invalid_schedule_is_refused(schedule, message):
    with pytest.raises(ConfigError, match=message):
        Workflow("w", schedule=schedule())


@pytest.mark.parametrize(
    ("state", "valid", "invalid", "message"),
    [
        (None, {}, {"input": "x"}, "input 'x' of the schedule '@hourly' does not fit"),
        (Tenant, {"state": {"name": "a"}}, {"state": {"name": 5}}, "state .* does not fit"),
        (Tenant, {"state": {"name": "a"}}, {}, "state None .* does not fit"),
        (None, {"state": {"a": 1}}, {"state": {"a": Secret("hunter2")}}, "state .* does not fit"),
        (None, {"context": {"a": 1}}, {"context": "hunter2"}, "'context' has the wrong type"),
        (None, {"context": {"a": 1}}, {"context": {"a": {"hunter2"}, "b": object()}}, "context of"),
        (None, {"context": {"a": 1}}, {"context": {"a": Secret("hunter2")}}, "context .* not fit"),
    ],
)
def test_values_must_fit_the_workflow(tmp_path, monkeypatch, state, valid, invalid, message):
    monkeypatch.chdir(tmp_path)

    def build(values):
        schedule = Schedule("@hourly", **{"input": 1, **values})
        return Mastra(workflows={"w": Workflow("w", state=state, schedule=schedule).then(add_one)})

    build(valid)
    with pytest.raises(ConfigError, match=message) as caught:
        build(invalid)
    assert "hunter2" not in str(caught.value)
