"""Test the shapes in which clients send messages."""

import base64

import pytest

from mastra_core.agents import FilePart, Message, TextPart, ToolCallPart, ToolResultPart
from mastra_server.agents.input_messages import parse_messages
from mastra_server.http.request_body import InvalidBody

PIXEL = base64.b64encode(b"pixel").decode()
CALL = ToolCallPart(id="1", name="add", arguments={"a": 1})
RESULT = ToolResultPart(id="1", name="add", result={"sum": 1})


def build_user_message(*parts):
    return (Message(role="user", parts=parts),)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hi", build_user_message(TextPart(text="hi"))),
        (["hi"], build_user_message(TextPart(text="hi"))),
        ({"role": "user", "content": "hi"}, build_user_message(TextPart(text="hi"))),
        (
            [{"role": "user", "parts": [{"type": "text", "text": "hi"}]}],
            build_user_message(TextPart(text="hi")),
        ),
        (
            [{"role": "user", "content": {"format": 2, "parts": [{"type": "text", "text": "hi"}]}}],
            build_user_message(TextPart(text="hi")),
        ),
    ],
)
def test_text(value, expected):
    assert parse_messages(value) == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image", "image": f"data:image/png;base64,{PIXEL}"},
            FilePart(media_type="image/png", data=b"pixel"),
        ),
        (
            {"type": "image", "image": "https://a.example/x.png"},
            FilePart(media_type="image/*", url="https://a.example/x.png"),
        ),
        (
            {"type": "file", "data": PIXEL, "mimeType": "application/pdf"},
            FilePart(media_type="application/pdf", data=b"pixel"),
        ),
        (
            {"type": "file", "url": "data:text/plain;charset=utf-8,a%20b+c\\x41é%ff"},
            FilePart(media_type="text/plain", data=b"a b+c\\x41\xc3\xa9\xff"),
        ),
        (
            {"type": "file", "url": f"data:;BASE64,{PIXEL[:4]}%0A{PIXEL[4:]}", "mediaType": "a/b"},
            FilePart(media_type="a/b", data=b"pixel"),
        ),
    ],
)
def test_files(part, expected):
    assert parse_messages([{"role": "user", "content": [part]}]) == build_user_message(expected)


def test_client_tool_calls():
    value = [
        {"role": "user", "content": "add"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool-call", "toolCallId": "1", "toolName": "add", "input": {"a": 1}}
            ],
        },
        {
            "role": "tool",
            "content": [
                {
                    "type": "tool-result",
                    "toolCallId": "1",
                    "toolName": "add",
                    "output": {"type": "json", "value": {"sum": 1}},
                }
            ],
        },
    ]
    assert parse_messages(value)[1:] == (
        Message(role="assistant", parts=(CALL,)),
        Message(role="tool", parts=(RESULT,)),
    )


@pytest.mark.parametrize(
    ("content", "result"),
    [
        ({"result": "no row", "isError": True}, "no row"),
        ({"output": {"type": "error-text", "value": "no row"}}, "no row"),
        ({"output": {"type": "error-json", "value": {"code": 1}}}, {"code": 1}),
    ],
)
def test_result_of_a_failed_tool(content, result):
    part = {"type": "tool-result", "toolCallId": "1", "toolName": "add", **content}
    (message,) = parse_messages({"role": "tool", "content": [part]})
    assert message.parts == (ToolResultPart(id="1", name="add", result=result, failed=True),)


def test_tool_results_of_stored_messages():
    call = {"state": "result", "toolCallId": "1", "toolName": "add", "args": {"a": 1}}
    parts = [
        {"type": "tool-invocation", "toolInvocation": {**call, "result": {"sum": 1}}},
        {"type": "step-start"},
        {"type": "text", "text": "done"},
    ]
    value = {"role": "assistant", "content": {"format": 2, "parts": parts}}
    assert parse_messages(value) == (
        Message(role="assistant", parts=(CALL,)),
        Message(role="tool", parts=(RESULT,)),
        Message(role="assistant", parts=(TextPart(text="done"),)),
    )


@pytest.mark.parametrize(
    "value",
    [
        1,
        [],
        [1],
        [{"role": "user", "content": [1]}],
        [{"role": "user", "content": [{"type": "image", "image": "!"}]}],
        [{"role": "user", "content": [{"type": "image", "image": "data:image/png;base64,a-_b"}]}],
        [{"role": "user", "content": [{"type": "file", "url": "data:text/plain,100% sure"}]}],
        [{"role": "user", "content": [{"type": "tool-call"}]}],
    ],
)
def test_invalid_messages(value):
    with pytest.raises(InvalidBody):
        parse_messages(value)


def test_parts_win_over_content():
    """Mastra's client sends both, and tool calls only as parts."""
    call = {"state": "call", "toolCallId": "1", "toolName": "add", "args": {"a": 1}}
    older = {"role": "assistant", "content": "", "parts": [
        {"type": "step-start"}, {"type": "tool-invocation", "toolInvocation": call}]}  # fmt: skip
    assert parse_messages(older) == (Message(role="assistant", parts=(CALL,)),)
    done = {"state": "output-available", "output": {"sum": 1}, "toolCallId": "1", "input": {"a": 1}}
    for kind in ({"type": "tool-add"}, {"type": "dynamic-tool", "toolName": "add"}):
        assert parse_messages({"role": "assistant", "parts": [{**kind, **done}]}) == (
            Message(role="assistant", parts=(CALL,)),
            Message(role="tool", parts=(RESULT,)),
        )
