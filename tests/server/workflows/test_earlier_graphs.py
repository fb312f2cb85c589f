"""The graph of a run is that of the description that has executed it."""

import asyncio

from mastra_core import DurableEngine, Mastra, Workflow
from tests.core.workflows.sample_steps import add_one, double

EARLIER = Workflow("order").then(add_one)
PRESENT = Workflow("order", previous=EARLIER).then(add_one).then(double)


def test_details_of_an_earlier_run_have_the_earlier_graph(serve, tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"

    async def start_run(workflow, run_id):
        engine = DurableEngine(url)
        run = await engine.create(workflow, run_id)
        await engine.start(run, 1)
        await run.wait()
        await engine.close()

    asyncio.run(start_run(EARLIER, "earlier"))
    asyncio.run(start_run(PRESENT, "present"))
    mastra = Mastra(workflows={"order": PRESENT}, engine=DurableEngine(url), logger=False)
    with serve(mastra) as server:
        graphs = {
            name: server.http.get(f"/api/workflows/order/runs/{name}").json()["serializedStepGraph"]
            for name in ("earlier", "present")
        }
    assert graphs == {"earlier": EARLIER.build_graph(), "present": PRESENT.build_graph()}
