"""The intended differences from the original, with reasons; each of them must still occur."""

from __future__ import annotations

from fnmatch import fnmatchcase

_DECIDED = "Agent.approve*|Agent.decline*|Agent.resume*"
# Calls, paths in their responses (alternative patterns after a bar), and the reason.
DELIBERATE = (
    ("*", "*chema*.$schema lacks", "A schema does not name the draft it is written in."),
    ("*", "*chema*.additionalProperties lacks", "An answer may get fields without a new schema."),
    ("*", "*chema*.title adds", "A schema has the name of its type."),
    ("*", "*chema*.description lacks", "A schema holds no prose of the server's."),
    ("*", "*.slowWorkflow.outputSchema.*", "A type that is used twice is a reference."),
    ("*", "*.outputSchema adds", "A typed function always has a schema of its answer."),
    ("*", "*modelVersion*", "No version of a protocol between server and model is told."),
    ("*", "*response.modelId", "A step names the model that answered it."),
    ("*", "*supportsMemory", "An agent supports a memory where it has one."),
    (
        "*",
        "value.config.workingMemory.scope adds",
        "The scope is told where it is the default, too.",
    ),
    ("*", "*error.name", "The kind of an error is the one of Python."),
    ("*", "*error.stack lacks", "No stack trace goes to a client."),
    ("*", "body.error", "Errors are said in words of our own."),
    ("*: b*", "*body.issues*adds", "Mistakes in data are also listed by their field."),
    ("*", "body.issues.*.message", "Mistakes in data are said in words of our own."),
    ("*: bad input", "*rror*", "Mistakes in data are said in words of our own."),
    ("*: bad input", "value.message", "Mistakes in data are said in words of our own."),
    (
        "*executeTool: bad input",
        "value.validationErrors.fields.b lacks",
        "The first mistake ends the reading.",
    ),
    ("*: no thread", "body.issues adds", "Mistakes in data are also listed by their field."),
    (
        "Agent.approveToolCall: no run",
        "status",
        "A run that is not there is a 404, which no client repeats.",
    ),
    ("Agent.observe: no run", "*", "The original never answers; here it is a 404."),
    (
        "Run.start: bad input",
        "*",
        "Bad input is a 400; the original leaves a run that never starts.",
    ),
    ("Run.resumeAsync: again", "status", "What does not wait is a 409, which no client repeats."),
    ("Run.startAsync: again", "*", "A run starts once: a 409; the original runs it again."),
    ("Run.restart*: done", "*", "What is done is not run again: a 409."),
    (
        "Run.timeTravelAsync",
        "value.steps.inc.payload lacks",
        "A time travel tells the results of steps as any run does.",
    ),
    (
        "MastraClient.listTools",
        "value.pay lacks",
        "Tools of an agent alone are found at the agent.",
    ),
    (
        "MastraClient.listWorkflows: partial",
        "*isProcessorWorkflow adds",
        "A list in short says of what kind each is.",
    ),
    (
        "Agent.sendMessage",
        "value.signal.__isCreatedSignal lacks",
        "A signal has no mark of the original's inside.",
    ),
    (
        "Agent.sendMessage",
        "value.signal.acceptedAt lacks",
        "A signal does not say when it was accepted.",
    ),
    ("Agent.*", "*.provider[MO]* lacks", "Parts of texts hold no notes for the original's store."),
    (
        "Agent.*",
        "*steps.*.response*lacks",
        "A step does not repeat the messages of the whole answer.",
    ),
    ("Agent.*", "*steps.*.finishReason adds", "Each step says why it ended, streamed or not."),
    ("Agent.*", "*step-start#1 lacks", "Where a step begins is not kept in a message."),
    ("Agent.*", "*parts.order", "Where a step begins is not kept in a message."),
    ("Agent.*", "*content.toolInvocations lacks", "Calls are told once, among the parts."),
    ("Agent.*", "value.finish#1.payload.response lacks", "What was said is in the chunks before."),
    (
        "Agent.stream: a tool",
        "*step-finish#1.*.steps.0.content.*",
        "The step tells the result of its call at once.",
    ),
    (
        "Agent.*: structured",
        "*tructuredOutput lacks",
        "The object stands beside the message, not in it.",
    ),
    (
        "Agent.stream: structured",
        "value.order|value.*#1 lacks|*.steps.0.content.*|*.messages.*|value.step-finish#1.payload.output.*",
        "The object is told when it is whole and right, and is no text.",
    ),
    (
        "Agent.stream: a model that fails",
        "*sage",
        "What a failing model used is not unknown but nothing.",
    ),
    (
        "Agent.stream: a model that fails",
        "*.warnings lacks",
        "There is no warning beside an error.",
    ),
    (
        "Agent.generate: waits",
        "value.messages.1.*|value.response.*|value.steps.0 adds|value.usage",
        "What waits tells its step, its messages and what it used so far.",
    ),
    ("Agent.listSuspendedRuns", "*Id adds", "A run says whose it is."),
    (
        _DECIDED,
        "value.order|value.start#1 adds|value.step-start#2 adds|value.tool-call#1 adds",
        "What goes on begins with the call that was decided, so that the client knows it.",
    ),
    (
        _DECIDED,
        "*.messages.*|*.steps.*|value.response.*|value.toolCalls.*|*.stepResult.messageId lacks",
        "What goes on tells its own messages and steps, not again those before the decision.",
    ),
    (
        "Agent.decline*",
        "value.tool-output-denied#1 lacks|value.tool-result#1 adds|value.toolResults.*",
        "A call that was declined has a result that says so, as its model is told.",
    ),
    (
        "MemoryThread.*",
        "*content.metadata lacks",
        "Which model spoke is in the traces, not in a memory.",
    ),
    (
        "MastraClient.listThreadMessages",
        "*content.metadata lacks",
        "Which model spoke is in the traces, not in a memory.",
    ),
    ("Agent.stream: remembers", "*.messages.all.*", "What was remembered is not repeated."),
    ("Conversations.create", "*", "Conversations go on by previous_response_id: a 501."),
    ("MemoryThread.transfer", "value.metadata.z adds", "What moves keeps its metadata."),
    ("*McpServer*", "*.version_detail.*", "An application has no version of its own."),
    ("MCPTool.execute: none", "status", "What is not there is a 404, which no client repeats."),
    ("Responses.*", "*conversation_id", "Conversations go on by previous_response_id."),
    ("Responses.*", "*.model", "The model is the agent that was asked."),
    ("Responses.*", "*.logprobs lacks", "No model here tells probabilities."),
    (
        "Responses.*",
        "*.parallel_tool_calls adds",
        "OpenAI's own client wants `text`, `tool_choice` and `parallel_tool_calls`.",
    ),
    (
        "Responses.*",
        "*.tool_choice adds",
        "OpenAI's own client wants `text`, `tool_choice` and `parallel_tool_calls`.",
    ),
    (
        "Responses.*",
        "*.text",
        "OpenAI's own client wants `text`, `tool_choice` and `parallel_tool_calls`.",
    ),
    ("Responses.stream", "*.sequence_number", "Events are counted from nought, as OpenAI does."),
)

# Status, methods of the client that no recorded call uses, and the reason.
LEFT_OUT = (
    (
        404,
        "Agent.*Version* Agent.*Model* Agent.clone Agent.enhanceInstructions Agent.readPlan",
        "Agents are code: nothing edits them while they run.",
    ),
    (
        404,
        "AgentBuilder.* AgentController.* Channels.* Processor*.* Stored*.* ToolProvider.* Workspace.*",
        "They belong to the original's editor and its cloud.",
    ),
    (
        404,
        "*AgentBuilder* *AgentController* *Builder* *Stored* *Provider* *Workspace* *DynamicWorkflow* *PermissionPatterns *InfrastructureStatus",
        "They belong to the original's editor and its cloud.",
    ),
    (
        404,
        "*Dataset* *Experiment* *clusterFailures *getItemHistory *Schedule* *BackgroundTask*",
        "They belong to the original's editor and its cloud.",
    ),
    (
        404,
        "*Feedback* *Metric* *Score* *Branch* *listLogsVNext *Entity* *ServiceNames *Environments *getTags *listEmbedders",
        "What is measured goes to a collector; these tables are of the original's store.",
    ),
    (
        404,
        "*Trajectory *TraceQuery* *queryTraceThreads *deleteTraces",
        "Traces are listed and asked for, not computed with.",
    ),
    (
        404,
        "Agent.*rowser* Agent.recover",
        "No agent has a browser, and a run that broke off is started again.",
    ),
    (404, "MastraClient.readMcpServerResource", "The application offers no resources over MCP."),
    (501, "A2A*.*", "An agent is called here or over MCP."),
    (501, "Agent.*etwork* Agent.*Legacy Agent.sendSignal", "Later protocols take their place."),
    (501, "Conversations.*", "Conversations go on by previous_response_id."),
    (
        501,
        "Vector.* *searchMemory *ObservationalMemory *awaitBufferStatus",
        "Semantic memory is not offered.",
    ),
    (501, "*.saveScore *.score", "Scores are not offered."),
    (
        501,
        "*getTrace* *getSpan *listTraces* *queryTraces",
        "No traces are kept here: test_traces.py asks a server that keeps them.",
    ),
    (
        400,
        "*listLogs *getLogForRun",
        "No logs are kept here: test_logs.py asks a server that keeps them.",
    ),
    (
        400,
        "Agent.queueMessage Agent.subscribeToThread Agent.sendToolApproval",
        "They want a thread: test_threads.py names one.",
    ),
    (
        200,
        "*ModelProviders *SystemPackages *getBuilderSettings",
        "They are small: test_studio_rows.py.",
    ),
    (200, "Run.cancelRun", "It is Run.cancel by another name."),
)


def find_explanations(call: str, path: str) -> list[int]:
    """Return the indexes of the rules that explain why ``call`` differs at ``path``."""
    return [
        index
        for index, (calls, paths, _) in enumerate(DELIBERATE)
        if _matches(call, calls) and _matches(path, paths)
    ]


def get_expected_statuses(method: str) -> list[int]:
    """Return the statuses with which ``method`` may be answered."""
    return [
        status
        for status, names, _ in LEFT_OUT
        if any(fnmatchcase(method, name) for name in names.split())
    ]


def _matches(name: str, patterns: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns.split("|"))
