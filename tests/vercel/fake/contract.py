"""The official contract: what went over the wire, checked by the schemas of `@vercel/sdk`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.node import find_node
from tests.vercel.fake.api import Request
from tests.vercel.fake.npm import sdk


def violations(requests: Iterable[Request], *, ignore: Sequence[str] = ()) -> list[str]:
    """What of these requests and answers is not as the document says, each once.

    :param ignore: regular expressions; what they are found in is known and meant.
    """
    told = [
        {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "body": request.body,
            "status": request.status,
            "answer": request.answer,
        }
        for request in requests
    ]
    script = Path(__file__).with_name("contract.mjs")
    done = subprocess.run(
        [find_node(), str(script), str(sdk())],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [text for text in json.loads(done.stdout) if not any(re.search(i, text) for i in ignore)]
