import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { parse } from 'graphql';
import './browser.mjs';
import { followed } from './iterated.mjs';

export const name = 'graphiql';
export const sendsAnyText = true;
/**
 * Of messages that come at once with the completion, its iterator gives only the first: the completion
 * ends it before the others are read. It does so with graphql-ws's own server, too.
 */
export const keepsLast = false;

export function connect(server) {
  const fetcher = createGraphiQLFetcher({ url: server.url, subscriptionUrl: server.wsUrl, fetch });
  const run = async (query, variables) =>
    quiet(await fetcher({ query, variables }, { documentAST: read(query) }));
  return {
    async ask(query, variables) {
      let data;
      await followed(run(query, variables), (found) => (data = found)).done;
      return data;
    },
    subscribe: (query, variables, onNext) => followed(run(query, variables), onNext),
    close() {},
  };
}

/** GraphiQL sends what stands in its editor, also what it cannot read. */
function read(query) {
  try {
    return parse(query);
  } catch {
    return undefined;
  }
}

/** An error also rejects a promise that the fetcher drops: a browser notes it, Node would fail the test. */
function quiet(results) {
  const { throw: fail } = results;
  results.throw = (error) => fail.call(results, error).catch(() => {});
  return results;
}
