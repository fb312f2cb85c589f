"""Schedules as arguments of a workflow."""

import pytest

from mastra_core import Mastra, Schedule, Workflow
from mastra_core.errors import ConfigError
from mastra_core.workflows.model.schedule import build_schedule_id
from tests.core.workflows.sample_steps import add_one

HOURLY = Schedule("@hourly", input=1)


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
        (lambda: ["@daily", "@hourly"], "ids of several schedules"),
        (lambda: [Schedule("@daily", id="a"), Schedule("@hourly", id="a")], "ids of several"),
        (lambda: Schedule("@daily", timezone="Mars/Base"), "'Mars/Base' is unknown"),
        (lambda: Schedule("@daily", timezone="../../etc/passwd"), "is unknown"),
    ],
)
def test_invalid_schedule_is_refused(schedule, message):
    with pytest.raises(ConfigError, match=message):
        Workflow("w", schedule=schedule())


def test_input_must_fit_the_workflow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Mastra(workflows={"w": Workflow("w", schedule=HOURLY).then(add_one)})
    with pytest.raises(ConfigError, match="input 'x' of the schedule '@hourly' does not fit"):
        Mastra(
            workflows={"w": Workflow("w", schedule=Schedule("@hourly", input="x")).then(add_one)}
        )
