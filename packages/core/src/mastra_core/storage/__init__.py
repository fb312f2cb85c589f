"""Storage of threads, messages, notes and suspended runs."""

from mastra_core.storage.coerce_storage import as_storage
from mastra_core.storage.in_memory import MemoryStorage
from mastra_core.storage.protocol import RecordStore, Storage, ThreadStore
from mastra_core.storage.records import (
    History,
    MessageQuery,
    Page,
    Recall,
    StoredMessage,
    Thread,
    ThreadQuery,
)
from mastra_core.storage.sqlite import SqliteStorage

__all__ = (
    "History",
    "MemoryStorage",
    "MessageQuery",
    "Page",
    "Recall",
    "RecordStore",
    "SqliteStorage",
    "Storage",
    "StoredMessage",
    "Thread",
    "ThreadQuery",
    "ThreadStore",
    "as_storage",
)
