"""Creating, finding and deleting runs."""

import asyncio
from dataclasses import dataclass, field
from typing import TypedDict

import pydantic
import pytest

from mastra_core import Workflow
from mastra_core.errors import Conflict, InvalidInput, NotFound
from mastra_core.workflows import RunQuery
from tests.core.workflows.sample_steps import add_one


@pytest.mark.parametrize("action", ["resume", "start"])
def test_action_that_the_status_does_not_allow(engine, action):
    async def run_scenario():
        run = await engine.create(Workflow("w").then(add_one))
        if action == "resume":
            with pytest.raises(Conflict, match="not suspended"):
                await engine.resume(run, 1)
            return
        await engine.start(run, 1)
        with pytest.raises(Conflict, match="was started before"):
            await engine.start(run, 1)
        await run.wait()
        with pytest.raises(Conflict, match="was started before"):
            await engine.start(run, 1)
        assert run.record.result == 2

    asyncio.run(run_scenario())


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_text_that_no_database_stores_is_refused(engine, text):
    workflow = Workflow("w").then(add_one)

    async def run_scenario():
        for options in ({"run_id": text}, {"resource_id": text}, {"caller": text}):
            with pytest.raises(InvalidInput, match="contains a character that no database can"):
                await engine.create(workflow, **options)
        for resource in ("", text):
            with pytest.raises(NotFound):
                await engine.get(workflow, text, resource)
        query = RunQuery(resource_id=text)
        return await engine.list(workflow, query), await engine.count(workflow, query)

    assert asyncio.run(run_scenario()) == ([], {})


def test_runs_are_found_by_workflow_and_id(engine):
    async def run_scenario():
        one, two = Workflow("one").then(add_one), Workflow("two").then(add_one)
        run = await engine.create(one, "r1", "ann")
        assert await engine.create(one, "r1") is run
        assert await engine.get(one, "r1") is run
        with pytest.raises(NotFound):
            await engine.get(two, "r1")
        other = await engine.create(two, "r1")
        await engine.start(other, 5)
        await engine.start(run, 1)
        assert [(await each.wait()).result for each in (run, other)] == [2, 6]
        assert (await engine.get(one, "r1")).record.result == 2
        assert (await engine.get(two, "r1")).record.result == 6
        assert [record.run_id for record in await engine.list(one)] == ["r1"]
        assert run.record.resource_id == "ann"
        await engine.delete(run)
        assert await engine.list(one) == await engine.get_many(one, RunQuery()) == []
        assert len(await engine.list(two)) == 1

    asyncio.run(run_scenario())


def test_runs_are_returned_in_the_order_and_the_pages_of_their_list(engine):
    workflow = Workflow("w").then(add_one)

    async def run_scenario():
        runs = [await engine.create(workflow, f"r{number}") for number in range(5)]
        await engine.start(runs[2], 1)
        await runs[2].wait()
        await engine.cancel(runs[4])
        _, cursor = await engine.list_page(workflow, RunQuery(limit=1))
        for fields, expected in (
            ({}, ["r4", "r3", "r2", "r1", "r0"]),
            ({"limit": 2, "offset": 1}, ["r3", "r2"]),
            ({"after": cursor, "limit": 3}, ["r3", "r2", "r1"]),
            ({"status": "pending", "offset": 2}, ["r0"]),
            ({"status": ("success", "canceled")}, ["r4", "r2"]),
            ({"status": ("pending", "success"), "limit": 2}, ["r3", "r2"]),
        ):
            query = RunQuery(**fields)
            assert [run.run_id for run in await engine.get_many(workflow, query)] == expected
            assert [record.run_id for record in await engine.list(workflow, query)] == expected

    asyncio.run(run_scenario())


@dataclass
class Place:
    city: str
    country: str = "no"


@dataclass
class Parcel:
    name: str
    to: Place
    via: list[Place] = field(default_factory=list)


class Order(pydantic.BaseModel):
    name: str
    secret: pydantic.SecretStr
    count: int = pydantic.Field(1, alias="howMany")


class Loose(TypedDict):
    name: str


PARCEL = {"name": "a", "to": {"city": "Oslo"}, "via": [{"city": "Bergen", "country": "n"}]}


@pytest.mark.parametrize(
    ("type_", "given", "expected"),
    [
        (
            Parcel,
            PARCEL | {"more": 1},
            PARCEL | {"more": 1, "to": {"city": "Oslo", "country": "no"}},
        ),
        (
            Parcel,
            Parcel("a", Place("Oslo")),
            {"name": "a", "to": {"city": "Oslo", "country": "no"}, "via": []},
        ),
        (list[Place], [{"city": "Oslo"}], [{"city": "Oslo", "country": "no"}]),
        (Order, {"name": "a", "secret": "s"}, {"name": "a", "secret": "s", "howMany": 1}),
        (Loose, {"name": "a", "more": 1}, {"name": "a", "more": 1}),
        (None, {"name": "a"}, {"name": "a"}),
    ],
)
def test_input_has_the_defaults_of_its_type(engine, type_, given, expected):
    """A mapping and a later step read the same input as the first step."""
    workflow = Workflow("w", input=type_).map(lambda value, context: [value, context.init_data])

    async def run_scenario():
        run = await engine.create(workflow)
        await engine.start(run, given)
        record = await run.wait()
        assert record.input == expected
        assert record.result == [expected, expected]

    asyncio.run(run_scenario())
