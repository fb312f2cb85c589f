"""The durable engine: runs in a database, which outlive their process and move between servers."""

from mastra_core.workflows.durable.durable_engine import DurableEngine
from mastra_core.workflows.durable.run_rows import (
    Batch,
    ChildStart,
    CommitResult,
    ExecutionSettings,
    JournalData,
    Member,
    NewRun,
    RunRow,
    RunState,
    ScheduleRow,
)
from mastra_core.workflows.durable.run_store import RunStore
from mastra_core.workflows.durable.sqlite_run_store import SqliteRunStore

__all__ = (
    "Batch",
    "ChildStart",
    "CommitResult",
    "DurableEngine",
    "ExecutionSettings",
    "JournalData",
    "Member",
    "NewRun",
    "RunRow",
    "RunState",
    "RunStore",
    "ScheduleRow",
    "SqliteRunStore",
)
