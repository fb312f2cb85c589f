"""An unchanged FastAPI app in a Worker."""

import pytest

from tests.cloudflare.worker_preview import bundle_once, run_preview

pytestmark = [pytest.mark.slow, pytest.mark.full]

_APP = """
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

STARTS, DONE = [], []


class Item(BaseModel):
    name: str
    price: float


@asynccontextmanager
async def run_lifespan(app):
    STARTS.append(1)
    yield {"word": "from the lifespan"}


app = FastAPI(lifespan=run_lifespan)


def get_word(request: Request) -> str:
    return request.state.word


@app.get("/items/{number}")
def read_item(number: int, word: str = Depends(get_word)) -> dict:
    return {"number": number, "word": word, "starts": len(STARTS), "done": DONE}


@app.post("/items")
async def create_item(item: Item, tasks: BackgroundTasks) -> Item:
    tasks.add_task(DONE.append, item.name)
    return item


@app.get("/stream")
async def stream():
    async def write():
        for number in range(3):
            yield f"{number},"
    return StreamingResponse(write())
"""


@pytest.fixture(scope="module")
def client(pyodide, tmp_path_factory):
    options = ("--app", "main:app", "-s", "project_name=shop")
    files = {"main.py": _APP}
    bundle = bundle_once(
        tmp_path_factory, "fastapi", files, "", *options, dependencies=("fastapi",)
    )
    with run_preview(bundle, "-s", "project_name=shop") as preview:
        yield preview.client


def test_fastapi_runs_unchanged(client):
    created = client.post("/items", json={"name": "tea", "price": 2})
    assert (created.status_code, created.json()) == (200, {"name": "tea", "price": 2.0})
    assert client.get("/items/7").json() == {
        "number": 7,
        "word": "from the lifespan",
        "starts": 1,
        "done": ["tea"],
    }
    assert client.post("/items", json={"name": "tea"}).status_code == 422
    assert client.get("/stream").text == "0,1,2,"
    assert client.get("/openapi.json").json()["info"]["title"] == "FastAPI"
