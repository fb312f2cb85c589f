"""A store that ends with its process, at any write."""

import asyncio

WRITES = frozenset({"create", "begin", "commit", "answer", "cancel", "claim"})


class CrashingStore:
    """Passes calls to a store, until the process dies at a write; later calls never return.

    :param store: the store.
    :param last: the number of the write at which the process dies; 0 if it does not die.
    :param is_stored: whether the database has stored the last write.
    """

    single_process = False

    def __init__(self, store, last=0, is_stored=False):
        self._store, self._last, self._is_stored = store, last, is_stored
        self.writes = 0
        self.outcomes = set()
        self.died = asyncio.Event()

    def __getattr__(self, name):
        method = getattr(self._store, name)
        if name in WRITES:
            return lambda *arguments, **options: self._write(name, method, arguments, options)
        return method

    def copy(self):
        copied = CrashingStore(self._store.copy())
        copied.died = self.died
        return copied

    async def beat(self, member, lease):
        if not self.died.is_set():
            await self._store.beat(member, lease)

    async def _write(self, name, method, arguments, options):
        await self._end_if_dead()
        if name == "claim":  # most claims write nothing
            result = await method(*arguments, **options)
            if not result:
                return result
        self.writes += 1
        is_last = self.writes == self._last
        if is_last and not self._is_stored:
            self.died.set()
        await self._end_if_dead()
        if name != "claim":
            result = await method(*arguments, **options)
        if name == "commit" and result.kind == "stored":
            self.outcomes |= {key for key, _ in arguments[-1].outcomes}
        if is_last:
            self.died.set()
        await self._end_if_dead()
        return result

    async def _end_if_dead(self):
        if self.died.is_set():
            await asyncio.Event().wait()
