"""Send the whole conversation again, as chat user interfaces do: each message is stored once."""

import time

import pytest

from mastra_core import AgentInput, Memory
from mastra_core.agents import (
    FilePart,
    Finish,
    Message,
    StepFinish,
    TextDelta,
    TextPart,
    ToolCall,
    ToolCallPart,
    ToolResultPart,
    as_agent,
)
from mastra_core.memory import AgentWithMemory
from mastra_core.memory.sent_conversation import split_conversation
from mastra_core.storage import MessageQuery


def say(role, text, id=""):
    return Message(role=role, parts=(TextPart(text=text),), id=id)


class Chat:
    """An agent with a memory, and what its model and its thread got."""

    def __init__(self, storage, run, **settings):
        async def echo(run_input: AgentInput):
            self.asked = [(message.role, message.text) for message in run_input.messages]
            yield TextDelta(text=f"echo {run_input.prompt}")

        self._storage, self._run = storage, run
        self._agent = AgentWithMemory(as_agent(echo), Memory(storage=storage, **settings))

    def send(self, *messages, thread="t1", **options):
        run_input = AgentInput(messages=messages, thread=thread, resource="ann", **options)
        return self._run(self._agent.generate(run_input))

    def list_stored(self, thread="t1"):
        query = MessageQuery(thread=thread)
        return self._run(self._storage.threads.list_messages(query)).items

    def list_texts(self, thread="t1"):
        return [
            "".join(part.text for part in message.parts if isinstance(part, TextPart))
            for message in self.list_stored(thread)
        ]


@pytest.fixture(params=[{}, {"last_messages": 0}, {"last_messages": 2}], ids=["10", "0", "2"])
def chat(storage, run, request):
    return Chat(storage, run, **request.param)


@pytest.mark.parametrize("named", ["all", "users", "none"])
def test_conversation_is_stored_once(chat, named):
    sent = []
    for number in range(4):
        sent.append(say("user", f"q{number}", f"u{number}" if named != "none" else ""))
        chat.send(*sent)
        answer = chat.list_stored()[-1].id if named == "all" else ""
        sent.append(say("assistant", f"echo q{number}", answer))
        assert chat.asked == [(message.role, message.text) for message in sent[:-1]]
    assert chat.list_texts() == [message.text for message in sent]
    if named != "none":
        assert [message.id for message in chat.list_stored()][::2] == ["u0", "u1", "u2", "u3"]


def test_same_words_twice_are_two_messages(chat):
    chat.send(say("user", "yes"))
    chat.send(say("user", "yes"))
    chat.send(say("user", "yes", "u1"))
    chat.send(say("user", "yes"), say("assistant", "echo yes"), say("user", "yes"))
    assert chat.list_texts() == ["yes", "echo yes"] * 4


def test_conversation_of_a_new_thread_is_stored(chat):
    chat.send(say("user", "a", "1"), say("assistant", "b", "2"), say("user", "c", "3"))
    assert chat.list_texts() == ["a", "b", "c", "echo c"]
    assert [message.id for message in chat.list_stored()][:3] == ["1", "2", "3"]


@pytest.mark.parametrize("edited", ["q1", "other"])
def test_last_message_is_sent_again(chat, edited):
    """A user interface regenerates an answer, or sends an edited message under its old id."""
    chat.send(say("user", "q0", "u0"))
    chat.send(say("user", "q0", "u0"), say("assistant", "echo q0"), say("user", "q1", "u1"))
    chat.send(say("user", "q0", "u0"), say("assistant", "echo q0"), say("user", edited, "u1"))
    assert chat.asked == [("user", "q0"), ("assistant", "echo q0"), ("user", edited)]
    assert chat.list_texts() == ["q0", "echo q0", edited, "echo q1", f"echo {edited}"]


def test_message_of_a_failed_run_is_stored_once(storage, run):
    async def fail_first(run_input: AgentInput) -> str:
        if run_input.prompt == "q1":
            raise RuntimeError("no")
        return f"echo {run_input.prompt}"

    chat = Chat(storage, run)
    chat.send(say("user", "q0"))
    chat._agent = AgentWithMemory(as_agent(fail_first), Memory(storage=storage))
    told = [say("user", "q0"), say("assistant", "echo q0"), say("user", "q1")]
    with pytest.raises(Exception, match="no"):
        chat.send(*told)
    chat.send(*told, say("user", "q2"))
    assert chat.list_texts() == ["q0", "echo q0", "q1", "q2", "echo q2"]


def test_ids_of_another_thread_are_not_used(chat):
    chat.send(say("user", "theirs", "1"), thread="other")
    chat.send(say("user", "mine", "1"))
    chat.send(say("user", "mine", "1"), say("assistant", "echo mine"), say("user", "next", "2"))
    assert chat.list_texts("other") == ["theirs", "echo theirs"]
    assert chat.list_texts() == ["mine", "echo mine", "next", "echo next"]


def test_attachments_keep_their_names(chat):
    file = FilePart(media_type="text/plain", data=b"a", name="a.txt")
    question = Message(role="user", parts=(TextPart(text="read"), file), id="u0")
    chat.send(question)
    chat.send(question, say("assistant", "echo read"), say("user", "again", "u1"))
    assert chat.list_stored()[0].parts == question.parts
    assert len(chat.list_stored()) == 4


def test_result_of_a_client_tool_continues_the_message(storage, run):
    async def locate(run_input: AgentInput):
        if run_input.messages[-1].role == "tool":
            asked.append([message.role for message in run_input.messages])
            yield TextDelta(text="You are in Oslo.")
            return
        yield ToolCall(id="c1", name="locate", arguments={})
        yield StepFinish(reason="tool-calls")
        yield Finish(reason="tool-calls")

    asked = []
    chat = Chat(storage, run)
    chat._agent = AgentWithMemory(as_agent(locate), Memory(storage=storage))
    first = chat.send(say("user", "where?", "u0"))
    id_ = first.events[0].message_id
    call = Message(
        role="assistant", parts=(ToolCallPart(id="c1", name="locate", arguments={}),), id=id_
    )
    result = Message(
        role="tool", parts=(ToolResultPart(id="c1", name="locate", result="Oslo"),), id=id_
    )
    second = chat.send(say("user", "where?", "u0"), call, result)
    assert second.events[0].message_id == id_
    assert asked == [["user", "assistant", "tool"]]
    _, answer = chat.list_stored()
    assert [type(part) for part in answer.parts] == [ToolCallPart, ToolResultPart, TextPart]
    chat.send(
        say("user", "where?", "u0"),
        call,
        result,
        say("assistant", "You are in Oslo.", id_),
        say("user", "ok", "u1"),
    )
    assert len(chat.list_stored()) == 4


def test_recalled_messages_are_not_loaded_again(storage, run, monkeypatch):
    loaded, get_messages = [], storage.threads.get_messages

    async def get_and_record(ids):
        loaded.append(ids)
        return await get_messages(ids)

    monkeypatch.setattr(storage.threads, "get_messages", get_and_record)
    chat = Chat(storage, run)
    first, second = say("user", "one", "u1"), say("user", "two", "u2")
    chat.send(first)
    chat.send(first, say("assistant", "echo one"), second)
    assert loaded == [["u1"], ["u2"]]


def test_long_conversation_takes_little_time():
    """The time does not grow with the square of the number of messages."""
    known = [say("user", "hi", f"k{number}") for number in range(20_000)]
    new = [say("user", "hi", f"n{number}") for number in range(20_000)]
    begun = time.process_time()
    conversation = split_conversation((), {message.id for message in known}, [*known, *new])
    assert time.process_time() - begun < 1
    assert (len(conversation.earlier), conversation.new) == (20_000, tuple(new))
