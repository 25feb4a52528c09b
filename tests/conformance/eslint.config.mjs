// The schema rules of graphql-eslint: what is recommended, and Relay's specifications.
import { fileURLToPath } from 'node:url';
import graphql from '@graphql-eslint/eslint-plugin';

const SCHEMA = fileURLToPath(new URL('../../schema/schema.graphql', import.meta.url));

const EDGES = { withEdgeSuffix: true, shouldImplementNode: true };
const WRAPPERS = ['Payload', 'Connection', 'Edge'];
const VALUES = [
  'Cancellation', 'ExecutionError', 'ExecutionsChange', 'HistoryProblem', 'Label', 'LogPiece', 'PageInfo', 'PipelineProblem',
  'Server', 'StageAttempt', 'StageLog', 'StageOutput', 'StatusCount', 'Usage', 'UserError',
];

export default [
  {
    files: ['**/*.graphql'],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: SCHEMA } } },
    plugins: { '@graphql-eslint': graphql },
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      // The exceptions are argued in docs/schema.md.
      '@graphql-eslint/strict-id-in-types': ['error', { exceptions: { types: VALUES, suffixes: WRAPPERS } }],
      '@graphql-eslint/relay-edge-types': ['error', { ...EDGES, listTypeCanWrapOnlyEdgeType: false }],
      '@graphql-eslint/no-typename-prefix': 'off',
    },
  },
];
