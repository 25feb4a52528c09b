// What every client must be able to do, each with its own ordinary settings.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as apollo from './clients/apollo.mjs';
import { Refused } from './clients/errors.mjs';
import * as graphqlHttp from './clients/graphql-http.mjs';
import * as graphqlRequest from './clients/graphql-request.mjs';
import * as graphqlSse from './clients/graphql-sse.mjs';
import * as graphqlWs from './clients/graphql-ws.mjs';
import * as relay from './clients/relay.mjs';
import * as urql from './clients/urql.mjs';
import { ask, eventually, Server } from './server.mjs';

const CLIENTS = [
  graphqlWs, graphqlSse, apollo.overSocket, apollo.overMultipart, urql.overSocket, urql.overFetch,
  relay, graphqlRequest, graphqlHttp,
];
const SERVER = 'query { server { version engine } }';
const START = `mutation ($pipelineId: ID!, $input: String!) {
  startExecution(pipelineId: $pipelineId, input: $input) { execution { id status } }
}`;
const CANCEL = 'mutation ($id: ID!) { cancelExecution(id: $id) { cancelled } }';
const PROGRESS = 'subscription ($id: ID!) { executionProgress(id: $id) { event sequence status } }';
const INVALID = 'query { server { nothingOfThisName } }';
const SUBSCRIBERS = '{ server { subscribers } }';

for (const { name, connect, hasSubscriptions = true } of CLIENTS) {
  describe(name, { timeout: 120_000 }, () => {
    let server;
    let client;
    before(async () => {
      server = await Server.start();
      client = connect(server);
    });
    after(async () => {
      await client.close();
      await server.end();
    });

    const started = async (pipelineId) => {
      const input = 'some text';
      return (await client.ask(START, { pipelineId, input })).startExecution.execution.id;
    };

    test('query', async () => {
      assert.equal((await client.ask(SERVER)).server.engine, 'embedded');
    });

    test('mutation', async () => {
      assert.match(await started('several-v1'), /^exec_\d+_/);
    });

    test('an error reaches the caller, and the client goes on', async () => {
      await assert.rejects(client.ask(INVALID), (error) => {
        assert.ok(error instanceof Refused, error);
        assert.equal(error.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
        return true;
      });
      assert.ok((await client.ask(SERVER)).server);
    });

    if (hasSubscriptions) subscriptions();

    test('after a restart of the server it goes on', async () => {
      await server.restart();
      assert.ok((await client.ask(SERVER)).server);
      if (hasSubscriptions) await completes();
    });

    /** A whole run: a snapshot, no gap, one terminal message, and the client's own completion. */
    async function completes() {
      const id = await started('several-v1');
      const messages = [];
      await client.subscribe(PROGRESS, { id }, (data) => messages.push(data.executionProgress)).done;
      assert.equal(messages[0].event, 'SNAPSHOT');
      const first = messages[0].sequence;
      assert.deepEqual(messages.map(({ sequence }) => sequence), messages.map((_, at) => first + at));
      assert.equal(messages.at(-1).status, 'COMPLETED');
    }

    function subscriptions() {
      test('subscription to completion', completes);

      test('early unsubscribe', async () => {
        const id = await started('waiting');
        const messages = [];
        const running = client.subscribe(PROGRESS, { id }, (data) => messages.push(data));
        running.done.catch(() => {});
        await eventually(() => messages.length > 0);
        assert.equal((await ask(server, SUBSCRIBERS)).server.subscribers, 1);
        running.unsubscribe();
        await eventually(async () => (await ask(server, SUBSCRIBERS)).server.subscribers === 0);
        const { execution } = await ask(server, `{ execution(id: "${id}") { status } }`);
        assert.equal(execution.status, 'RUNNING');
        assert.ok((await client.ask(CANCEL, { id })).cancelExecution.cancelled);
      });

      test('a subscription that is refused says why', async () => {
        const { done } = client.subscribe(PROGRESS, { id: 'exec_1_none' }, () => {});
        await assert.rejects(done, (error) => {
          assert.ok(error instanceof Refused, error);
          assert.equal(error.errors[0].extensions.code, 'NOT_FOUND');
          return true;
        });
        await completes();
      });
    }
  });
}
