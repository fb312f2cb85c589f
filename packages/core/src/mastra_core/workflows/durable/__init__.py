"""The durable engine: runs in a database, which outlive their process and move between servers."""

from mastra_core.workflows.durable.durable_engine import DurableEngine
from mastra_core.workflows.durable.store.run_rows import (
    Backlog,
    Batch,
    ChildStart,
    CommitResult,
    ExecutionSettings,
    JournalData,
    KnownWorkflow,
    Member,
    NewRun,
    ParkedRuns,
    RunRow,
    RunState,
    ScheduleRow,
)
from mastra_core.workflows.durable.store.run_store import RunStore
from mastra_core.workflows.durable.store.sqlite_run_store import SqliteRunStore

__all__ = (
    "Backlog",
    "Batch",
    "ChildStart",
    "CommitResult",
    "DurableEngine",
    "ExecutionSettings",
    "JournalData",
    "KnownWorkflow",
    "Member",
    "NewRun",
    "ParkedRuns",
    "RunRow",
    "RunState",
    "RunStore",
    "ScheduleRow",
    "SqliteRunStore",
)
