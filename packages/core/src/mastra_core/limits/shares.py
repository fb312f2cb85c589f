"""Divide a capacity among callers, so that no caller uses up the others' share."""

from __future__ import annotations

__all__ = ("Shares",)


class Shares:
    """A capacity that callers share; no caller may hold more than it leaves free for the others.

    For example, a single caller that takes small amounts can take half of the capacity. Two such
    callers can take a third each, and the last third remains free for other callers. An empty
    caller name means the application itself, which may hold the whole capacity. A caller that holds
    nothing yet may take all that is free. Each operation takes constant time.

    :param capacity: maximum number of things, or of bytes, that all callers hold together.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._total = 0
        self._held: dict[str, int] = {}

    @property
    def free(self) -> int:
        """The part of the capacity that no caller holds."""
        return self.capacity - self._total

    def fits(self, caller: str, amount: int = 1) -> bool:
        """Return whether the caller may take a further amount of the capacity.

        :param caller: the caller that would hold the amount; empty for the application itself.
        :param amount: the number of things, or of bytes.
        """
        remaining = self.capacity - self._total - amount
        held = self._held.get(caller, 0)
        return remaining >= 0 and (not caller or not held or held + amount <= remaining)

    def try_acquire(self, caller: str, amount: int = 1) -> bool:
        """Take an amount of the capacity, if the caller may; return whether it was taken.

        :param caller: the caller that takes the amount; empty for the application itself.
        :param amount: the number of things, or of bytes.
        """
        if not self.fits(caller, amount):
            return False
        self.hold(caller, amount)
        return True

    def hold(self, caller: str, amount: int = 1) -> None:
        """Count an amount as held by the caller, even if the sum then exceeds the capacity.

        :param caller: the caller that holds the amount.
        :param amount: the number of things, or of bytes.
        """
        if not amount:
            return
        self._held[caller] = self._held.get(caller, 0) + amount
        self._total += amount

    def release(self, caller: str, amount: int = 1) -> None:
        """Release a part of the capacity.

        :param caller: the caller that held the amount.
        :param amount: the number of things, or of bytes.
        """
        if not amount:
            return
        self._total -= amount
        held = self._held[caller] - amount
        if held:
            self._held[caller] = held
        else:
            del self._held[caller]
