"""The durable engine: runs in a database, which outlive their process and move between servers."""

from mastra_core.workflows.durable.durable_engine import DurableEngine
from mastra_core.workflows.durable.run_rows import (
    Backlog,
    Batch,
    CommitResult,
    ExecutionSettings,
    JournalData,
    KnownWorkflow,
    Member,
    NewRun,
    ParkedRuns,
    RunRow,
    RunState,
)
from mastra_core.workflows.durable.run_store import RunStore
from mastra_core.workflows.durable.sqlite_run_store import SqliteRunStore

__all__ = (
    "Backlog",
    "Batch",
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
    "SqliteRunStore",
)
