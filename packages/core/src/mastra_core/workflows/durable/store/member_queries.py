"""The transactions on members: the processes that execute runs."""

from __future__ import annotations

from mastra_core.workflows.durable.store.query_parts import join_placeholders, split_values
from mastra_core.workflows.durable.store.run_rows import Member
from mastra_core.workflows.durable.store.transactions import Queries, Query

__all__ = (
    "list_members",
    "remove_lost_members",
    "remove_members",
    "report_member",
)

_COLUMNS = ", ".join(Member.__struct_fields__)
_HOUR = 3_600_000  # milliseconds


def report_member(member: Member, until: str) -> Queries[None]:
    """Record that a process is alive.

    :param member: the process.
    :param until: an SQL expression for the end of the lease.
    """
    yield Query(
        f"INSERT INTO mastra_run_members ({_COLUMNS}, lease_until) "  # noqa: S608  # no values
        f"VALUES (?, ?, ?, ?, ?, {until}) ON CONFLICT (id) DO UPDATE "
        f"SET fingerprints = excluded.fingerprints, lease_until = {until}",
        (*(member.id, member.name, member.machine, member.process), " ".join(member.fingerprints)),
    )


def list_members(since: str) -> Queries[list[Member]]:
    """List the processes that have reported.

    :param since: an SQL expression for a time; a process is listed only if its lease ends after
        this time.
    """
    rows = yield Query(
        f"SELECT {_COLUMNS} FROM mastra_run_members WHERE lease_until > {since}"  # noqa: S608  # no values
    )
    return [
        Member(
            id=id_,
            name=name,
            machine=machine,
            process=process,
            fingerprints=tuple(fingerprints.split()),
        )
        for id_, name, machine, process, fingerprints in rows
    ]


def remove_members(ids: list[str]) -> Queries[None]:
    """Remove processes.

    :param ids: the ids of the processes.
    """
    for chunk in split_values(ids):
        sql = f"DELETE FROM mastra_run_members WHERE id IN ({join_placeholders(chunk)})"  # noqa: S608  # no values
        yield Query(sql, chunk)


def remove_lost_members(now: str) -> Queries[None]:
    """Remove processes that have not reported for an hour; a later report adds a process again.

    :param now: an SQL expression for the present time.
    """
    yield Query(f"DELETE FROM mastra_run_members WHERE lease_until < {now} - {_HOUR}")  # noqa: S608  # no values
