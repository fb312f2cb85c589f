"""A journal that outlives a run, as a durable engine's would: it keeps nothing but JSON."""

import asyncio

import msgspec

from mastra_core.workflows import Outcome


class Recorded:
    """Outcomes, answers and events by key, encoded.

    :param answer: what a suspended step is resumed with, given the key it waits for.
    """

    run_id = "recorded"

    def __init__(self, answer=None):
        self.outcomes = {}
        self.events = {}
        self.calls = 0
        self._answer = answer

    async def call_once(self, key, call):
        if key not in self.outcomes:
            self.calls += 1
            self.outcomes[key] = msgspec.json.encode(await call())
        await asyncio.sleep(0)
        return msgspec.json.decode(self.outcomes[key], type=Outcome)

    async def wait(self, key):
        await asyncio.sleep(0)
        return self._answer(key)

    async def sleep(self, key, until):
        await asyncio.sleep(0)

    async def emit(self, key, event):
        self.events.setdefault(key, msgspec.json.encode(event))

    async def cancel(self):
        raise NotImplementedError
