"""Read the thread of a run once, even if several processes execute the run one after another."""

from __future__ import annotations

import msgspec

from mastra_core.agents.messages import AgentInput
from mastra_core.random_id import generate_id
from mastra_core.schema import dump
from mastra_core.storage.protocol import ThreadStore
from mastra_core.storage.records import Recall

__all__ = ("recall_once",)

_NAME = "recall"


class _RecordedRecall(msgspec.Struct, frozen=True, kw_only=True):
    recall: Recall
    message_id: str


async def recall_once(threads: ThreadStore, run_input: AgentInput, last: int) -> tuple[Recall, str]:
    """Return the thread as it was at the start of the run, and the id of the answer.

    A durable run records the thread and the id of the answer in its journal. If a process ends
    after it has stored the answer, the next process stores messages with the same ids, which
    replace the stored ones.

    :param threads: the store of threads.
    :param run_input: the input of the run.
    :param last: how many messages to read.
    :returns: the thread, and the id of the answer, which is empty if the run is not durable.
    """
    journal = run_input.journal
    if journal is None:
        return await threads.recall(run_input.thread, last), ""
    value = journal.find(_NAME)
    if value is None:
        found = await threads.recall(run_input.thread, last)
        value = dump(_RecordedRecall(recall=found, message_id=generate_id()))
        journal.record(_NAME, value)
    recorded = msgspec.convert(value, _RecordedRecall)
    return recorded.recall, recorded.message_id
