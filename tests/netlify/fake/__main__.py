"""Serve the fake: `python -m tests.netlify.fake` prints its address."""

from tests.netlify.fake.server import FakeNetlify
from tests.platform_fakes.command import serve_until_signal

if __name__ == "__main__":
    serve_until_signal(FakeNetlify)
