"""Any stored thread becomes a conversation that a model accepts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_core.agents import Message, TextPart, ToolCallPart, ToolResultPart
from mastra_core.memory.history import build_conversation, drop_stored_calls
from mastra_core.storage import StoredMessage

IDS = st.sampled_from("abc")
PARTS = st.one_of(
    st.builds(TextPart, text=st.sampled_from(["x", "y"])),
    st.builds(ToolCallPart, id=IDS, name=st.just("t"), arguments=st.just({})),
    st.builds(ToolResultPart, id=IDS, name=st.just("t"), result=st.just(1)),
)
ANSWERS = st.builds(
    StoredMessage,
    id=st.just("m"),
    thread=st.just("t"),
    role=st.sampled_from(["assistant", "tool"]),
    parts=st.lists(PARTS, max_size=4).map(tuple),
)
SAID = StoredMessage(id="m", thread="t", role="user", parts=(TextPart(text="hi"),))
STORED = st.lists(st.just(SAID) | ANSWERS, max_size=6)
RESULT = st.builds(ToolResultPart, id=IDS, name=st.just("t"), result=st.just(2))
NEW = st.just(Message.user("new")) | st.builds(
    Message, role=st.just("tool"), parts=st.tuples(RESULT)
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(STORED, st.lists(NEW, min_size=1, max_size=2))
def test_conversation_is_valid(stored, new):
    told = build_conversation(stored, drop_stored_calls(stored, new))
    waiting = set()
    for message in told:
        assert message.parts
        if message.role != "tool":
            assert not waiting, "a call without a result"
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                waiting.add(part.id)
            elif isinstance(part, ToolResultPart):
                assert part.id in waiting, "a result without a call"
                waiting.remove(part.id)
    assert not waiting
    users = [message for message in told if message.role == "user"]
    assert len(users) == sum(m.role == "user" for m in (*stored, *new)), "users are always heard"
    if users:
        assert told[0].role == "user"
