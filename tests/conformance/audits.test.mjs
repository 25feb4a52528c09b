// The public audit suite for GraphQL over HTTP: every audit must be ok, also those that only advise.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { serverAudits } from 'graphql-http';
import { Server } from './server.mjs';

const AUDITS = 61;

describe('graphql-http audits', () => {
  let server;
  let passed = 0;
  before(async () => (server = await Server.start()));
  after(async () => {
    console.log(`${passed} of ${AUDITS} audits passed`);
    await server.end();
  });

  const audits = serverAudits({ url: () => server.url, fetchFn: fetch });
  for (const audit of audits) {
    test(`${audit.id} ${audit.name}`, async () => {
      const result = await audit.fn();
      assert.equal(result.status, 'ok', result.reason);
      passed += 1;
    });
  }

  test('no audit has been left out', () => assert.equal(audits.length, AUDITS));
});
