// Every GraphQL document that the dashboard sends.

const OUTCOME = "id pipelineName status endReason durationMs queuedMs";

const COUNTS = "statusCounts { status count }";

const BASE = `${OUTCOME} pipelineId startTime endTime currentStage totalStages labels { key value }`;

const ROW = `fragment Row on Execution {
	${BASE}
	inputPreview stages { name status } usage { costUsd }
}`;

const STAGE = `fragment StageParts on Stage {
	id name status attempt startTime endTime durationMs skipReason model
	usage { inputTokens outputTokens costUsd } error { type message }
}`;

const STATE = `fragment State on Execution {
	${BASE}
	retryOf error { type message stageId traceback }
	usage { inputTokens outputTokens costUsd }
	cancellation { reason requestedAt stoppedAfterMs forced }
}`;

const STATE_OF_SERVER = "server { serverTime engine stale }";

export const SERVER = `query Server { ${STATE_OF_SERVER} }`;

export const LIST = `query List($filter: ExecutionFilter, $first: Int, $after: String) {
	${STATE_OF_SERVER}
	held: executionsConnection(filter: $filter, first: 0) { ${COUNTS} }
	executionsConnection(filter: $filter, first: $first, after: $after, includeHistory: true) {
		cursor ${COUNTS} pageInfo { hasNextPage endCursor } nodes { ...Row }
	}
} ${ROW}`;

export const LIST_CHANGES = `subscription ListChanges($filter: ExecutionFilter, $after: String) {
	executionsChanged(filter: $filter, after: $after) {
		change cursor ${COUNTS} execution { ...Row }
	}
} ${ROW}`;

export const ACTIVITY = `subscription Activity($after: String) {
	executionsChanged(filter: {status: [QUEUED, RUNNING, CANCELLING]}, after: $after) {
		change cursor ${COUNTS} execution { ${OUTCOME} }
	}
}`;

export const ENDED = `query Ended($id: ID!) { execution(id: $id) { ${OUTCOME} } }`;

export const EXECUTION = `query Execution($id: ID!, $limit: Int!) {
	${STATE_OF_SERVER}
	execution(id: $id) {
		...State input output cursor
		stages { ...StageParts output(limit: $limit) { offset text truncated } }
	}
} ${STATE} ${STAGE}`;

export const OUTPUT_PAGE = `query OutputPage($id: ID!, $offset: Int!, $limit: Int!) {
	execution(id: $id) {
		stages { id attempt output(offset: $offset, limit: $limit) { offset text truncated } }
	}
}`;

export const PROGRESS = `subscription Progress($id: ID!, $after: String) {
	executionProgress(id: $id, after: $after, includeOutput: false) {
		cursor execution { ...State stages { ...StageParts } }
	}
} ${STATE} ${STAGE}`;

/** Apart from the state: a stage that writes much must not send the whole state with each piece. */
export const OUTPUT = `subscription Output($id: ID!, $after: String) {
	executionProgress(id: $id, after: $after) {
		event cursor stage { id attempt } output { offset text truncated }
	}
}`;

export const PIPELINES = `query Pipelines {
	pipelines { id name version description totalStages stages { id name type description } }
}`;

export const START = `mutation Start($pipelineId: ID!, $input: String!, $options: StartOptions) {
	startExecution(pipelineId: $pipelineId, input: $input, options: $options) {
		execution { id } userErrors { code message path }
	}
}`;

export const CANCEL = `mutation Cancel($id: ID!, $reason: String, $force: Boolean!) {
	cancelExecution(id: $id, reason: $reason, force: $force) { userErrors { message } }
}`;

export const RETRY = `mutation Retry($id: ID!, $fromStage: ID) {
	retryExecution(id: $id, fromStage: $fromStage) { execution { id } userErrors { message } }
}`;
