// GraphiQL with tabs to begin with; a token goes into "Headers" as {"Authorization": "Bearer …"}.
const QUERY = `# What runs, and what has ended in the last minutes. Ctrl+Enter asks.
query Executions {
  executions {
    id
    pipelineName
    status
    startTime
    currentStage
    totalStages
    inputPreview
  }
}
`;
const MUTATION = `# Starts a pipeline. { pipelines { id name } } tells which ones there are.
mutation Start($pipelineId: ID!, $input: String!) {
  startExecution(pipelineId: $pipelineId, input: $input) {
    execution { id status }
    userErrors { code message path }
  }
}
`;
const SUBSCRIPTION = `# Tells what happens to every execution for as long as it is open.
# For one, event by event: executionProgress(id: "exec_…").
subscription Changes {
  executionsChanged {
    change
    execution { id pipelineName status currentStage totalStages }
    statusCounts { status count }
  }
}
`;
const INPUT = { pipelineId: 'prompt-optimizer', input: 'Explain recursion to a child' };

const url = location.origin + location.pathname;
const asked = new URLSearchParams(location.search);
const tabs = [
  { query: QUERY },
  { query: MUTATION, variables: JSON.stringify(INPUT, null, 2) },
  { query: SUBSCRIPTION },
];
const linked = asked.get('query');

ReactDOM.createRoot(document.getElementById('playground')).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url, subscriptionUrl: url.replace(/^http/, 'ws') }),
    defaultTabs: linked ? [{ query: linked, variables: asked.get('variables') ?? '' }, ...tabs] : tabs,
    defaultEditorToolsVisibility: 'variables',
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
  }),
);
