"""The data that the durable engine exchanges with its store. JSON is passed as ``str``."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from mastra_core.schema import encode_json
from mastra_core.workflows.engine.run_options import StartPoint
from mastra_core.workflows.engine.run_record import Status

__all__ = (
    "AGENT_PREFIX",
    "Backlog",
    "Batch",
    "ChildStart",
    "CommitResult",
    "ExecutionSettings",
    "JournalData",
    "KnownWorkflow",
    "Member",
    "NewRun",
    "ParkedRuns",
    "RunRow",
    "RunState",
    "ScheduleRow",
    "encode",
)

AGENT_PREFIX = "agent:"  # of the ids of workflows in which runs of agents are executed


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """The values of a run that is to be created.

    :param workflow: the id of the workflow.
    :param run_id: the id of the run.
    :param scope: the resource that the creator is confined to; empty if it is not confined.
    :param resource_id: the owner of the run.
    :param caller: the caller that created the run; empty for the application itself.
    :param thread: the thread of an agent's run; empty for none.
    :param created_at: the time of creation, in milliseconds since the epoch.
    :param fingerprint: the fingerprint of the workflow, if the run begins at once.
    """

    workflow: str
    run_id: str
    scope: str = ""
    resource_id: str = ""
    caller: str = ""
    thread: str = ""
    created_at: int = 0
    fingerprint: str = ""


class ExecutionSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The settings of one execution of a run, which are not in the events of the run.

    :param state: the shared state at the start.
    :param start: the step in which the execution begins; the first step by default.
    :param per_step: whether to pause after one node.
    :param trace: the ids of the span in which the execution began, so that another process
        continues the trace.
    """

    state: dict[str, Any] = {}
    start: StartPoint | None = None
    per_step: bool = False
    trace: dict[str, str] = {}


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the store, without its events.

    :param id: the key of the run in the store.
    :param workflow: the id of the workflow.
    :param run_id: the id of the run.
    :param scope: the resource that the creator is confined to; empty if it is not confined.
    :param resource_id: the owner of the run.
    :param caller: the caller that created the run.
    :param status: the status of the run.
    :param sequence: the number of events.
    :param attempt: how often a process has begun to execute the run. The store refuses a commit
        whose attempt or ``holder`` differs from the stored one.
    :param holder: the id of the process that executes the run; empty if none does.
    :param answers: the number of resumed waits.
    :param takeovers: how many times in a row the run was taken over from a dead process, without
        progress in between.
    :param created_at: the time of creation, in milliseconds since the epoch.
    :param updated_at: the time of the last change of the status or the events, in milliseconds
        since the epoch.
    :param settings: the JSON of ``ExecutionSettings``.
    :param context: the JSON of the request context.
    :param fingerprint: the fingerprint of the workflow with which the run is executed; empty before
        its start.
    :param priority: the priority among the runs that wait for a process.
    :param parent: the key of the run that started this run; ``None`` if no run did.
    :param parent_key: the key of the parent's wait for this run.
    :param parent_waits: 1 if the parent waits for the end of this run, else 0.
    """

    id: int
    workflow: str
    run_id: str
    scope: str
    resource_id: str
    caller: str
    status: Status
    sequence: int
    attempt: int
    holder: str
    answers: int
    takeovers: int
    created_at: int
    updated_at: int
    settings: str
    context: str
    fingerprint: str
    priority: int = 0
    parent: int | None = None
    parent_key: str = ""
    parent_waits: int = 0


class RunState(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a run that change when another process works on the run.

    :param sequence: the number of events.
    :param attempt: how often a process has begun to execute the run.
    :param holder: the id of the process that executes the run; empty if none does.
    :param answers: the number of resumed waits.
    :param is_parked: whether the run is due, but no living process could execute it.
    """

    sequence: int
    attempt: int
    holder: str
    answers: int
    is_parked: bool = False


class JournalData(msgspec.Struct, kw_only=True):
    """The journal of a run.

    :param outcomes: the JSON of each outcome by key, in the order in which they were recorded.
    :param emitted: the keys of the emitted events.
    :param answers: the JSON of the data that each resumed wait has received, by the key of the
        wait.
    :param wakes: the ends of sleeps by key, in seconds since the epoch.
    :param answer_count: the value of ``answers`` in the run's row.
    """

    outcomes: dict[str, str] = msgspec.field(default_factory=dict)
    emitted: set[str] = msgspec.field(default_factory=set)
    answers: dict[str, str] = msgspec.field(default_factory=dict)
    wakes: dict[str, float] = msgspec.field(default_factory=dict)
    answer_count: int = 0


class Batch(msgspec.Struct, kw_only=True):
    """The data that one commit of an execution stores; a commit stores all of it or nothing.

    :param outcomes: the key and the JSON of each outcome.
    :param events: the key and the JSON of each event; events without a key may repeat.
    :param wakes: the key and the end of each sleep.
    :param status: the new status of the run; ``None`` if it stays.
    :param releases: whether the process releases the run, because the run waits or has ended.
    :param due_in: the milliseconds after which a released run continues, by the database's clock;
        ``None`` if it does not continue by itself.
    :param answers: the number of answers that the process has read; the commit is refused if the
        stored number differs.
    """

    outcomes: list[tuple[str, str]] = msgspec.field(default_factory=list)
    events: list[tuple[str, str]] = msgspec.field(default_factory=list)
    wakes: list[tuple[str, float]] = msgspec.field(default_factory=list)
    status: Status | None = None
    releases: bool = False
    due_in: int | None = None
    answers: int | None = None


class CommitResult(msgspec.Struct, frozen=True):
    """The result of a commit.

    :param kind: ``refused`` if the process no longer holds the run; ``answered`` if the process
        holds the run but has not read all answers.
    :param sequence: the number of events after the commit.
    """

    kind: Literal["stored", "refused", "answered"]
    sequence: int = 0


class ChildStart(NamedTuple):
    """The result of starting a child run.

    :param kind: ``refused`` if the process no longer holds the parent, ``full`` if the caller has
        too many unfinished runs.
    :param run_id: the id of the started run, or of the run that was started before.
    """

    kind: Literal["started", "refused", "full"]
    run_id: str = ""


class ScheduleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule in the store.

    :param id: the id of the schedule, unique among the schedules of all workflows.
    :param workflow: the id of the workflow.
    :param cron: the cron expression.
    :param timezone: the name of the time zone.
    :param status: whether the schedule starts runs.
    :param next_at: the time of the next start, in milliseconds since the epoch.
    :param last_at: the scheduled time of the last started run; ``None`` before the first run.
    :param last_run: the id of the last started run; empty before the first run.
    :param member: the process that has last registered the schedule; empty if this process is dead.
    :param created_at: the time of creation, in milliseconds since the epoch.
    :param updated_at: the time of the last change, in milliseconds since the epoch.
    """

    id: str
    workflow: str
    cron: str
    timezone: str
    status: Literal["active", "paused"] = "active"
    next_at: int = 0
    last_at: int | None = None
    last_run: str = ""
    member: str = ""
    created_at: int = 0
    updated_at: int = 0


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A process that executes runs.

    :param id: the id of the process; each start of the process creates a new one.
    :param name: the name of the process for people, such as ``web-1``.
    :param machine: an id of the machine or container, within which process ids are unique; empty if
        unknown.
    :param process: the process id.
    :param fingerprints: the fingerprints of the workflows that the process executes.
    """

    id: str
    name: str
    machine: str = ""
    process: int = 0
    fingerprints: tuple[str, ...] = ()


class KnownWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """A description of a workflow, from a process that executes or executed the workflow.

    :param fingerprint: the fingerprint of the description.
    :param workflow: the id of the workflow.
    :param description: the JSON of ``WorkflowDescription``.
    :param created_at: when the database got the description, in milliseconds since the epoch.
    """

    fingerprint: str
    workflow: str
    description: str
    created_at: int = 0


class ParkedRuns(msgspec.Struct, frozen=True, kw_only=True):
    """The runs with one fingerprint, which wait because no living process has it.

    :param workflow: the id of the workflow.
    :param fingerprint: the fingerprint.
    :param count: the number of parked runs.
    :param oldest: the time of the last change of the run that has waited longest, in milliseconds
        since the epoch.
    """

    workflow: str
    fingerprint: str
    count: int
    oldest: int


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of a database that wait for a process.

    :param due: the number of runs that are due, and that no process executes.
    :param oldest: when the run that waits longest began to wait, in milliseconds since the epoch;
        ``None`` if no run waits.
    :param parked: the runs that no living process can execute.
    """

    due: int = 0
    oldest: int | None = None
    parked: tuple[ParkedRuns, ...] = ()


def encode(value: Any) -> str:
    """Return the JSON of a value.

    :param value: a struct of JSON builtins.
    """
    return encode_json(value).decode()
