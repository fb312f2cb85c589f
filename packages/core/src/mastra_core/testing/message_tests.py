"""Tests of messages."""
# ruff: noqa: PLR2004, S101  # tests assert

from __future__ import annotations

from typing import Any

import pytest

from mastra_core.agents import FilePart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from mastra_core.errors import Conflict, InvalidInput
from mastra_core.storage import MessageQuery, Page, Recall, Storage, StoredMessage
from mastra_core.testing.storage_fixtures import (
    Run,
    StorageFixtures,
    build_message,
    build_thread,
    list_ids,
)

__all__ = ("MessageTests",)


class MessageTests(StorageFixtures):
    """Test that messages keep their content and their order."""

    def test_page_is_bounded_by_bytes(self, storage: Storage, run: Run) -> None:
        """A page that is too large is refused."""
        messages = [build_message(f"m{number}", text="x" * 1000) for number in range(20)]
        run(storage.threads.append(build_thread(), messages))

        def find(**fields: Any) -> Page[StoredMessage]:
            query = MessageQuery(thread="t1", max_bytes=15_000, **fields)
            page: Page[StoredMessage] = run(storage.threads.list_messages(query))
            return page

        assert find(per_page=5).total == 20
        with pytest.raises(InvalidInput, match="perPage"):
            find()
        assert run(storage.threads.list_messages(MessageQuery(thread="t1"))).total == 20

    def test_recall_is_bounded_by_bytes(self, storage: Storage, run: Run) -> None:
        """A run receives the newest messages that fit, and at least one."""

        def recall() -> list[str]:
            return list_ids(run(storage.threads.recall("t1", 1000, max_bytes=15_000)).messages)

        messages = [build_message(f"m{number}", text="x" * 1000) for number in range(20)]
        run(storage.threads.append(build_thread(), messages))
        newest = recall()
        assert 3 < len(newest) < 20
        assert newest[-1] == "m19"
        run(storage.threads.append(build_thread(), [build_message("large", text="x" * 20_000)]))
        assert recall() == ["large"]

    def test_message_round_trip(self, storage: Storage, run: Run) -> None:
        """Every kind of content is read as it was stored."""
        whole = StoredMessage(
            id="m1",
            thread="t1",
            role="assistant",
            parts=(
                TextPart(text="é😀\x00"),
                ReasoningPart(text="hm\n"),
                FilePart(media_type="image/png", data=b"\x00\xff"),
                ToolCallPart(id="c", name="add", arguments={"a": [1]}),
                ToolResultPart(id="c", name="add", result={"sum": None}),
                ToolResultPart(id="d", name="add", result="too large", failed=True),
            ),
            created_at=7,
            metadata={"x": 1},
            content={"format": 2, "parts": [{"type": "data-x"}]},
        )
        assert run(storage.threads.append(build_thread(), [whole]))
        assert run(storage.threads.get_messages(["m1", "none", "m1"])) == (whole,)
        assert run(storage.threads.recall("t1", 10)).messages == (whole,)

    def test_last_messages_in_order(self, storage: Storage, run: Run) -> None:
        """The last messages are returned in the order in which they were added."""
        run(
            storage.threads.append(
                build_thread(), [build_message(f"m{n}", created_at=9 - n) for n in range(5)]
            )
        )
        run(storage.threads.append(build_thread(), [build_message("m5")]))
        assert list_ids(run(storage.threads.recall("t1", 3)).messages) == ["m3", "m4", "m5"]
        assert run(storage.threads.recall("t1", 0)).messages == ()
        assert run(storage.threads.recall("nothing", 3)) == Recall()

    def test_message_pages_and_filters(self, storage: Storage, run: Run) -> None:
        """Messages are filtered, and divided into pages."""
        messages = [
            build_message(
                f"m{n}", role="assistant" if n % 2 else "user", created_at=n, metadata={"n": n}
            )
            for n in range(6)
        ]
        run(storage.threads.append(build_thread(), messages))

        def find_ids(**query: Any) -> tuple[list[str], int]:
            page = run(storage.threads.list_messages(MessageQuery(thread="t1", **query)))
            return list_ids(page.items), page.total

        assert find_ids() == (["m0", "m1", "m2", "m3", "m4", "m5"], 6)
        assert find_ids(per_page=2, page=1) == (["m2", "m3"], 6)
        assert find_ids(per_page=2, page=10**15) == ([], 6)
        assert find_ids(per_page=10**15, page=10**15, until=2**70) == ([], 6)
        assert find_ids(per_page=2, descending=True) == (["m5", "m4"], 6)
        assert find_ids(roles=("user",)) == (["m0", "m2", "m4"], 3)
        assert find_ids(roles=("user", "tool"), since=1, until=3) == (["m2"], 1)
        assert find_ids(metadata={"n": 4}) == (["m4"], 1)
        around = storage.threads.get_surrounding
        assert list_ids(run(around("m2", 1, 2))) == ["m1", "m2", "m3", "m4"]
        assert list_ids(run(around("m0", 5, 0))) == ["m0"]
        assert run(around("none", 1, 1)) == ()

    def test_message_id_is_unique_across_threads(self, storage: Storage, run: Run) -> None:
        """A message replaces the message with the same id only in its own thread."""
        append = storage.threads.append
        run(append(build_thread(), [build_message("m1"), build_message("m2")]))
        run(append(build_thread(), [build_message("m1", text="changed")]))
        first, second = run(storage.threads.recall("t1", 9)).messages
        assert (first.id, first.parts[0].text, second.id) == ("m1", "changed", "m2")
        with pytest.raises(Conflict):
            run(append(build_thread("t2"), [build_message("m9", "t2"), build_message("m1", "t2")]))
        assert run(storage.threads.get("t2")) is None
        assert run(storage.threads.get_messages(["m9"])) == ()

    def test_many_messages_of_one_call_keep_their_order(self, storage: Storage, run: Run) -> None:
        """A call may add many messages, and is stored as a whole or not at all."""
        names = [f"m{number}" for number in range(60)]
        assert run(storage.threads.append(build_thread(), [build_message(name) for name in names]))
        assert list_ids(run(storage.threads.recall("t1", 100)).messages) == names
        messages = [build_message(f"n{number}", "t2") for number in range(59)]
        with pytest.raises(Conflict, match="'m59'"):
            run(storage.threads.append(build_thread("t2"), [*messages, build_message("m59", "t2")]))
        assert run(storage.threads.get_messages(["n0", "n58"])) == ()
        assert run(storage.threads.delete_messages([*names, "n0"])) == 60

    def test_messages_with_one_id_in_one_call(self, storage: Storage, run: Run) -> None:
        """The last of several messages with one id in a call takes the position of the first."""
        messages = [build_message("m1"), build_message("m2"), build_message("m1", text="changed")]
        assert run(storage.threads.append(build_thread(), messages))
        first, second = run(storage.threads.recall("t1", 9)).messages
        assert (first.id, first.parts[0].text, second.id) == ("m1", "changed", "m2")

    def test_text_that_utf_8_cannot_encode(self, storage: Storage, run: Run) -> None:
        """Half of a surrogate pair, which a model may write, is stored as U+FFFD."""
        threads, half = storage.threads, "\ud800"
        thread = build_thread(title=half, metadata={"a": [half]})
        assert run(threads.append(thread, [build_message("m1", text=half, metadata={"b": half})]))
        recall: Recall = run(threads.recall("t1", 9))
        assert recall.thread is not None
        assert (recall.thread.title, recall.thread.metadata) == ("\ufffd", {"a": ["\ufffd"]})
        (message,) = recall.messages
        assert message == build_message(
            "m1", text="\ufffd", metadata={"b": "\ufffd"}, created_at=message.created_at
        )
        assert run(threads.update(build_thread(title=half)))
        assert run(threads.get("t1")).title == "\ufffd"
        assert run(threads.create(build_thread("t2", title=half)))
        assert run(threads.get("t2")).title == "\ufffd"
        notes = run(threads.change_working_memory("thread", "t1", lambda _: half))
        assert notes == run(threads.get_working_memory("thread", "t1")) == "\ufffd"

    def test_surrounding_messages_are_bounded_by_bytes(self, storage: Storage, run: Run) -> None:
        """A request for surrounding messages is refused if their total size is too large."""
        messages = [build_message(f"m{number}", text="x" * 1000) for number in range(20)]
        run(storage.threads.append(build_thread(), messages))
        around = storage.threads.get_surrounding
        assert list_ids(run(around("m9", 1, 1, max_bytes=15_000))) == ["m8", "m9", "m10"]
        with pytest.raises(InvalidInput, match="perPage"):
            run(around("m9", 9, 9, max_bytes=15_000))
