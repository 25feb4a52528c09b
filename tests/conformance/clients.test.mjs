// What every client must be able to do, each as it comes, with its own ordinary settings.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as apollo from './clients/apollo.mjs';
import { Refused } from './clients/errors.mjs';
import * as graphiql from './clients/graphiql.mjs';
import * as graphqlHttp from './clients/graphql-http.mjs';
import * as graphqlRequest from './clients/graphql-request.mjs';
import * as graphqlSse from './clients/graphql-sse.mjs';
import * as graphqlTools from './clients/graphql-tools.mjs';
import * as graphqlWs from './clients/graphql-ws.mjs';
import * as relay from './clients/relay.mjs';
import * as urql from './clients/urql.mjs';
import { ask, eventually, Server } from './server.mjs';

const CLIENTS = [
  graphqlWs, graphqlSse, apollo.overSocket, apollo.overMultipart, apollo.overPersistedQueries, urql.overSocket, urql.overFetch,
  relay, graphqlTools.overSocket, graphqlTools.overEvents, graphiql, graphqlRequest, graphqlHttp,
];
const QUERY = '{ server { version } pipelines { id } }';
const START = `mutation ($pipelineId: ID!, $input: String!) {
  startExecution(pipelineId: $pipelineId, input: $input) { execution { id status } }
}`;
const CANCEL = 'mutation ($id: ID!) { cancelExecution(id: $id) { cancelled } }';
const PROGRESS = 'subscription ($id: ID!) { executionProgress(id: $id) { event sequence status } }';
const LIST = 'subscription { executionsChanged { change } }';
const INVALID = 'query { server { nothingOfThisName } }';
const UNREADABLE = 'query { server {';
const SUBSCRIBERS = '{ server { subscribers } }';

for (const { name, connect, ...can } of CLIENTS) {
  describe(name, { timeout: 120_000 }, () => scenarios(name, connect, can));
}

/** `can` says what a client is made for: subscriptions, unreadable documents, to connect again by itself. */
function scenarios(name, connect, can) {
  const { hasSubscriptions = true, sendsAnyText = false, resumes = false, keepsLast = true } = can;
  let server;
  let client;
  const scenario = (title, work) => test(`${name}: ${title}`, work);
  before(async () => {
    server = await Server.start();
    client = connect(server);
  });
  after(async () => {
    await client?.close();
    await server?.end();
  });

  scenario('query', answers);

  scenario('mutation', async () => {
    assert.match(await started('several-v1'), /^exec_\d+_/);
  });

  scenario('a query that is refused says why, and the next one works', async () => {
    await refused(client.ask(INVALID), 'GRAPHQL_VALIDATION_FAILED');
    if (sendsAnyText) await refused(client.ask(UNREADABLE), 'GRAPHQL_PARSE_FAILED');
    await answers();
  });

  if (!hasSubscriptions) {
    scenario('after a restart of the server it goes on', async () => {
      await server.stop();
      await server.run();
      await answers();
    });
    return;
  }

  scenario('subscription to completion', completes);

  scenario('early unsubscribe', async () => {
    const { id, running } = await followed('waiting');
    running.done.catch(() => {});
    assert.equal(await subscribers(), 1);
    running.unsubscribe();
    await eventually(async () => (await subscribers()) === 0);
    assert.equal(await status(id), 'RUNNING');
    assert.ok((await client.ask(CANCEL, { id })).cancelExecution.cancelled);
  });

  scenario('a subscription that is refused says why', async () => {
    await refused(progress('exec_1_none').done, 'NOT_FOUND');
    await completes();
  });

  scenario('errors leave a subscription that is open alone', async () => {
    const { id, messages, running } = await followed('gate');
    await refused(client.ask(INVALID), 'GRAPHQL_VALIDATION_FAILED');
    await refused(progress('exec_1_none').done, 'NOT_FOUND');
    await started('key');
    await ended(id, running, messages);
  });

  const fate = resumes ? 'is opened again' : 'has ended or is opened again';
  for (const [what, signal] of [['restarted', 'SIGTERM'], ['killed', 'SIGKILL']]) {
    scenario(`when the server was ${what}, an open subscription ${fate}`, async () => {
      const list = await openList();
      await server.stop(signal);
      const { listings } = list;
      await server.run();
      await eventually(() => list.ended || list.listings > listings);
      if (resumes) assert.equal(list.ended, null);
      list.unsubscribe();
      await answers();
      await completes();
    });
  }

  async function answers() {
    const { server: about, pipelines } = await client.ask(QUERY);
    assert.match(about.version, /^\d+\.\d+/);
    assert.ok(pipelines.some(({ id }) => id === 'several-v1'));
  }

  async function started(pipelineId) {
    const asked = await client.ask(START, { pipelineId, input: name });
    return asked.startExecution.execution.id;
  }

  function progress(id, messages = []) {
    return client.subscribe(PROGRESS, { id }, (data) => messages.push(data.executionProgress));
  }

  /** A new execution, and a subscription to it that has had its first message. */
  async function followed(pipelineId) {
    const id = await started(pipelineId);
    const messages = [];
    const running = progress(id, messages);
    await eventually(() => messages.length > 0);
    return { id, messages, running };
  }

  async function completes() {
    const id = await started('several-v1');
    const messages = [];
    await ended(id, progress(id, messages), messages);
  }

  /** The client says that it is complete, not before the end, and has missed nothing. */
  async function ended(id, running, messages) {
    await running.done;
    assert.equal(await status(id), 'COMPLETED');
    isGapless(messages);
    if (keepsLast) assert.equal(messages.at(-1).status, 'COMPLETED');
  }

  async function status(id) {
    return (await ask(server, `{ execution(id: "${id}") { status } }`)).execution.status;
  }

  async function subscribers() {
    return (await ask(server, SUBSCRIBERS)).server.subscribers;
  }

  /** A subscription to the list: how often it has been told whole, and how it has ended. */
  async function openList() {
    const list = { listings: 0, ended: null };
    const count = ({ executionsChanged: { change } }) => (list.listings += Number(change === 'CAUGHT_UP'));
    const { done, unsubscribe } = client.subscribe(LIST, {}, count);
    const end = (why = 'complete') => (list.ended = why);
    done.then(() => end(), end);
    await eventually(() => list.ended || list.listings > 0);
    assert.equal(list.ended, null);
    return Object.assign(list, { unsubscribe });
  }
}

/** A snapshot, then each event once and in order. */
function isGapless(messages) {
  assert.equal(messages[0].event, 'SNAPSHOT');
  const first = messages[0].sequence;
  assert.deepEqual(messages.map(({ sequence }) => sequence), messages.map((_, at) => first + at));
}

async function refused(work, code) {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof Refused, error);
    assert.equal(error.errors[0].extensions?.code, code, error.message);
    return true;
  });
}
