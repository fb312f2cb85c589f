"""Serve the fake: `python -m tests.cloudflare.fake` prints its address."""

from tests.cloudflare.fake.server import FakeCloudflare
from tests.platform_fakes.command import serve_until_signal

if __name__ == "__main__":
    serve_until_signal(FakeCloudflare)
