"""A journal that stores JSON only, as the journal of a durable engine does."""

import asyncio

import msgspec

from mastra_core.workflows import Outcome


class JsonJournal:
    """Stores encoded outcomes and events by key.

    :param get_resume_data: returns the data that resumes a step, given the key of its wait.
    """

    run_id = "recorded"
    parts = None

    def __init__(self, get_resume_data=None):
        self.outcomes = {}
        self.events = {}
        self.calls = 0
        self._get_resume_data = get_resume_data

    async def call_once(self, key, call):
        if key not in self.outcomes:
            self.calls += 1
            self.outcomes[key] = msgspec.json.encode(await call())
        await asyncio.sleep(0)
        return msgspec.json.decode(self.outcomes[key], type=Outcome)

    async def wait(self, key):
        await asyncio.sleep(0)
        return self._get_resume_data(key)

    async def sleep(self, key, until):
        await asyncio.sleep(0)

    async def emit(self, key, event):
        self.events.setdefault(key, msgspec.json.encode(event))
