"""The intended differences from the original, with reasons; each of them must still occur."""

from __future__ import annotations

from fnmatch import fnmatchcase

_DECIDED = "Agent.approve*|Agent.decline*|Agent.resume*"
# Calls, paths in their responses (alternative patterns after a bar), and the reason.
DELIBERATE = (
    ("*", "*chema*.$schema lacks", "A schema does not name its JSON Schema draft."),
    (
        "*",
        "*chema*.additionalProperties lacks",
        "The schema of a response allows additional fields.",
    ),
    ("*", "*chema*.title adds", "A schema has its type's name as title."),
    ("*", "*chema*.description lacks", "A schema has no descriptions written by the server."),
    ("*", "*.outputSchema adds", "A typed function always has an output schema."),
    ("*", "*modelVersion*", "The version of the protocol between server and model is omitted."),
    ("*", "*response.modelId", "A step names the model that was used."),
    ("*", "*supportsMemory", "An agent supports memory if it has one."),
    (
        "*",
        "value.config.workingMemory.scope adds",
        "The scope is included even if it is the default.",
    ),
    ("*", "*error.name", "The name of an error is Python's exception class."),
    ("*", "*error.stack lacks", "An error has no stack trace."),
    ("*", "body.error", "The wording of errors differs."),
    ("*: b*", "*body.issues*adds", "Validation errors are also listed by field."),
    ("*", "body.issues.*.message", "The wording of validation errors differs."),
    ("*: bad input", "*rror*", "The wording of validation errors differs."),
    ("*: bad input", "value.message", "The wording of validation errors differs."),
    (
        "*executeTool: bad input",
        "value.validationErrors.fields.b lacks",
        "Validation stops at the first error.",
    ),
    ("*: no thread", "body.issues adds", "Validation errors are also listed by field."),
    (
        "Agent.approveToolCall: no run",
        "status",
        "An unknown run is a 404, which the client does not retry.",
    ),
    ("Agent.observe: no run", "*", "An unknown run is a 404. The original never responds."),
    (
        "Run.start: bad input",
        "*",
        "Invalid input is a 400. The original leaves a run that never starts.",
    ),
    (
        "Run.resumeAsync: again",
        "status",
        "Resuming a run that is not suspended is a 409, which the client does not retry.",
    ),
    ("Run.startAsync: again", "*", "Starting a run again is a 409. The original runs it again."),
    ("Run.restart*: done", "*", "Restarting a successful run is a 409."),
    (
        "Run.timeTravelAsync",
        "value.steps.inc.payload lacks",
        "A time travel reports the results of steps like every other run.",
    ),
    (
        "MastraClient.listTools",
        "value.pay lacks",
        "A tool that only an agent has is listed at the agent.",
    ),
    (
        "MastraClient.listWorkflows: partial",
        "*isProcessorWorkflow adds",
        "A partial list includes the kind of each workflow.",
    ),
    (
        "Agent.sendMessage",
        "value.signal.__isCreatedSignal lacks",
        "A signal has no internal marker of the original.",
    ),
    (
        "Agent.sendMessage",
        "value.signal.acceptedAt lacks",
        "A signal has no time of acceptance.",
    ),
    ("Agent.*", "*.provider[MO]* lacks", "Text parts have no metadata for the original's store."),
    (
        "Agent.*",
        "*steps.*.response*lacks",
        "A step does not repeat the messages of the whole response.",
    ),
    ("Agent.*", "*steps.*.finishReason adds", "Each step has its finish reason, streamed or not."),
    ("Agent.*", "*step-start#? lacks", "A message does not mark the beginning of a step."),
    ("Agent.*", "*parts.order", "A message does not mark the beginning of a step."),
    ("Agent.*", "*content.toolInvocations lacks", "Tool calls are listed once, among the parts."),
    (
        "Agent.*",
        "value.finish#1.payload.response lacks",
        "The last chunk does not repeat the response of the chunks before.",
    ),
    (
        "Agent.stream: a tool|Agent.stream: bad arguments|Agent.stream: arg*|Agent.stream: reasoning|Agent.stream: a tool that fails",
        "*step-finish#1.*.steps.0.content.*",
        "A step includes the result of its tool call.",
    ),
    (
        "Agent.*: structured amount|Agent.*: structured either",
        "*text|*.content.content",
        "The model writes an answer that is no object as a property of an object.",
    ),
    (
        "Agent.stream: structured*",
        "value.order|value.step-finish#1.payload.output.object lacks",
        "The structured object is sent after its step.",
    ),
    (
        "Agent.*: bad arguments*|Agent.*: arguments that are no JSON",
        "*.message|*.errors.0|*.validationErrors.fields.? lacks",
        "The wording of validation errors differs.",
    ),
    (
        "Agent.generate: bad arguments always",
        "*.content.content adds",
        "A message without text has an empty text.",
    ),
    (
        "Agent.*: arguments that are no JSON",
        "*.raw adds|value.tool-call#1.payload.args.*",
        "Arguments that are no JSON are shown as text.",
    ),
    (
        "Agent.stream: reasoning",
        "value.*#?.payload.id",
        "Each block of a stream has an id of its own.",
    ),
    (
        "MemoryThread.listMessages: reasoning|MemoryThread.listMessages: a tool that fails",
        "*.parts.order|*.step-start#? lacks",
        "A message does not mark the beginning of a step.",
    ),
    (
        "MemoryThread.listMessages: reasoning|MemoryThread.listMessages: a tool that fails",
        "*.tool-invocation#1.createdAt adds",
        "Every part of a stored message has its time.",
    ),
    (
        "Tool.execute: fails|MCPTool.execute: fails|Agent.executeTool: fails",
        "status",
        "A tool that fails is a 422. The client repeats a 500, and the tool would run four times.",
    ),
    (
        "Agent.generate: structured, strict",
        "status",
        "An invalid structured answer is a 422, which the client does not retry.",
    ),
    (
        "Agent.stream: a tool that fails",
        "value.tool-error#1.payload.error.*",
        "An error has a name and a message only.",
    ),
    (
        "Agent.stream: structured, strict",
        "value.error#1.payload.*",
        "An error has a name and a message only.",
    ),
    (
        "Agent.stream: a model that fails",
        "*sage",
        "The usage of a failed model is zero, not unknown.",
    ),
    (
        "Agent.stream: a model that fails",
        "*.warnings lacks",
        "An error has no list of warnings.",
    ),
    (
        "Agent.generate: waits",
        "value.messages.1.*|value.response.*|value.steps.0 adds|value.usage",
        "A suspended run includes its step, its messages and its usage so far.",
    ),
    ("Agent.listSuspendedRuns", "*Id adds", "A run includes the ids of its thread and resource."),
    (
        _DECIDED,
        "value.order|value.start#1 adds|value.step-start#2 adds|value.tool-call#1 adds",
        "A resumed run begins with the decided tool call, which the client needs.",
    ),
    (
        _DECIDED,
        "*.messages.*|*.steps.*|value.response.*|value.toolCalls.*|*.stepResult.messageId lacks",
        "A resumed run has its own messages and steps, without those before the decision.",
    ),
    (
        "Agent.decline*",
        "value.tool-output-denied#1 lacks|value.tool-result#1 adds|value.toolResults.*",
        "A declined tool call has a result that says so, as the model gets it.",
    ),
    (
        "MemoryThread.*",
        "*content.metadata lacks",
        "The model of a message is in the traces, not in the memory.",
    ),
    (
        "MastraClient.listThreadMessages",
        "*content.metadata lacks",
        "The model of a message is in the traces, not in the memory.",
    ),
    ("Agent.stream: remembers", "*.messages.all.*", "Remembered messages are not repeated."),
    (
        "Conversations.*",
        "value.created_at adds|value.metadata adds",
        "OpenAI's own client requires `created_at` and `metadata`.",
    ),
    (
        "Conversations.create*",
        "*.thread.metadata adds",
        "A thread without metadata has an empty object.",
    ),
    (
        "Conversations.retrieve",
        "*.thread.metadata",
        "A thread without metadata has an empty object.",
    ),
    ("A2A*.getAgentCard", "value.provider lacks", "A card names no provider."),
    ("A2A*.getAgentCard", "value.description", "A card has the description of its agent."),
    (
        "A2A*.getAgentCard",
        "*.pushNotifications",
        "The server does not send notifications to addresses of callers.",
    ),
    (
        "A2A.setTaskPushNotificationConfig",
        "*",
        "The server does not send notifications to addresses of callers.",
    ),
    (
        "A2A*",
        "*history.*.taskId*|*history.*.contextId*",
        "A message of a task names its task and its context.",
    ),
    ("A2A.*", "*.metadata.suspended*lacks", "A task has no internal marker of the original."),
    ("A2A.*: a model that fails", "*.data.*", "An error names its task, and has no stack trace."),
    ("A2A.sendMessage: bad params", "*", "Invalid parameters are an error of JSON-RPC."),
    (
        "A2AV1.listTasks",
        "*",
        "A list without a state has the tasks of every state. The original's list is empty.",
    ),
    ("MemoryThread.transfer", "value.metadata.z adds", "A transferred thread keeps its metadata."),
    ("*McpServer*", "*.version_detail.*", "An application has no version of its own."),
    (
        "MastraClient.readMcpServerResource",
        "*.mimeType adds",
        "The content of a resource names its MIME type.",
    ),
    (
        "MCPTool.execute: none",
        "status",
        "An unknown tool is a 404, which the client does not retry.",
    ),
    ("Responses.*", "*.conversation adds", "OpenAI's own client reads `conversation`."),
    ("Responses.*", "*.model", "The model of a response is the agent that was called."),
    ("Responses.*|ConversationItems.*", "*.logprobs lacks", "Log probabilities are not available."),
    (
        "Responses.*",
        "*.parallel_tool_calls adds",
        "OpenAI's own client requires `text`, `tool_choice` and `parallel_tool_calls`.",
    ),
    (
        "Responses.*",
        "*.tool_choice adds",
        "OpenAI's own client requires `text`, `tool_choice` and `parallel_tool_calls`.",
    ),
    (
        "Responses.*",
        "*.text",
        "OpenAI's own client requires `text`, `tool_choice` and `parallel_tool_calls`.",
    ),
    ("Responses.stream", "*.sequence_number", "Sequence numbers begin with 0, as at OpenAI."),
)

# Status, methods of the client that no recorded call uses, and the reason.
LEFT_OUT = (
    (
        404,
        "Agent.*Version* Agent.*Model* Agent.clone Agent.enhanceInstructions Agent.readPlan",
        "Agents are defined in code and cannot be edited at run time.",
    ),
    (
        404,
        "AgentBuilder.* AgentController.* Channels.* Processor*.* Stored*.* ToolProvider.* Workspace.*",
        "These methods belong to the original's editor and cloud.",
    ),
    (
        404,
        "*AgentBuilder* *AgentController* *Builder* *Stored* *Provider* *Workspace* *DynamicWorkflow* *PermissionPatterns *InfrastructureStatus",
        "These methods belong to the original's editor and cloud.",
    ),
    (
        404,
        "*Dataset* *Experiment* *clusterFailures *getItemHistory *BackgroundTask*",
        "These methods belong to the original's editor and cloud.",
    ),
    (
        404,
        "*Feedback* *Metric* *Score* *Branch* *listLogsVNext *Entity* *ServiceNames *Environments *getTags *listEmbedders",
        "Metrics go to a collector. These methods read the original's store.",
    ),
    (
        404,
        "*Trajectory *TraceQuery* *queryTraceThreads *deleteTraces",
        "Traces can be listed and read, but not analysed.",
    ),
    (
        404,
        "Agent.*rowser* Agent.recover",
        "Agents have no browser. An interrupted run is started again.",
    ),
    (
        501,
        "Agent.*etwork* Agent.*Legacy Agent.sendSignal",
        "Newer protocols replace these methods.",
    ),
    (
        501,
        "Vector.* *ObservationalMemory *awaitBufferStatus",
        "Semantic recall is not implemented.",
    ),
    (501, "*.saveScore *.score", "Scores are not implemented."),
    (
        200,
        "MastraClient.listSchedules",
        "The list of an app without schedules is empty.",
    ),
    (
        501,
        "*Schedule*",
        "Schedules are part of the code. The others need a workflow with a schedule.",
    ),
    (
        501,
        "*getTrace* *getSpan *listTraces* *queryTraces *getEntityNames *getEnvironments",
        "Traces are not stored, unless Server(traces=True) is set.",
    ),
    (
        400,
        "*listLogs *getLogForRun",
        "Logs are not stored, unless Server(logs=True) is set (see test_logs.py).",
    ),
    (
        400,
        "Agent.queueMessage Agent.subscribeToThread Agent.sendToolApproval",
        "These methods need a thread (see test_threads.py).",
    ),
    (
        200,
        "*ModelProviders *SystemPackages *getBuilderSettings",
        "Short responses (see test_studio_rows.py).",
    ),
    (
        200,
        "Channels.listPlatforms *listFeedback *getTags *ServiceNames *listExperiments *listDatasets *listWorkspaces *listSpeakers "
        "*getSpeakers *BuilderAvailableModels *ExperimentReviewSummary *Voice.*",
        "Empty lists that Studio requests (see studio/test_routes.py).",
    ),
    (
        200,
        "*listLogsVNext",
        "The list is empty, unless Server(logs=True) is set (see test_logs.py).",
    ),
    (
        200,
        "A2A.getCard A2A.sendStreamingMessage",
        "Old names of getAgentCard and sendMessageStream.",
    ),
    (
        "Push Notification is not supported",
        "A2A*.*PushNotificationConfig*",
        "The server does not send notifications to addresses of callers.",
    ),
    (200, "Run.cancelRun", "An alias of Run.cancel."),
)


def find_explanations(call: str, path: str) -> list[int]:
    """Return the indexes of the rules that explain why ``call`` differs at ``path``."""
    return [
        index
        for index, (calls, paths, _) in enumerate(DELIBERATE)
        if _matches(call, calls) and _matches(path, paths)
    ]


def get_expected_statuses(method: str) -> list[int | str]:
    """Return the statuses, or the messages, with which ``method`` may be answered."""
    return [
        status
        for status, names, _ in LEFT_OUT
        if any(fnmatchcase(method, name) for name in names.split())
    ]


def _matches(name: str, patterns: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns.split("|"))
