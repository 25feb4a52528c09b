import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { dataOf, Refused } from './errors.mjs';

export const name = 'graphql-ws';

/** The library's client; through a restart of the server it tries again each 100 ms. */
export function socketTo(server) {
  return createClient({
    url: server.wsUrl,
    webSocketImpl: WebSocket,
    retryAttempts: 100,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 100)),
    shouldRetry: () => true,
  });
}

export function connect(server) {
  const client = socketTo(server);
  return {
    ask: (query, variables) =>
      new Promise((resolve, reject) => {
        let result;
        client.subscribe(
          { query, variables },
          { next: (one) => (result = one), error: reject, complete: () => resolve(result) },
        );
      }).then(dataOf, refusal),
    subscribe(query, variables, onNext) {
      let unsubscribe;
      const done = new Promise((resolve, reject) => {
        const sink = { next: (one) => onNext(dataOf(one)), error: reject, complete: resolve };
        unsubscribe = client.subscribe({ query, variables }, sink);
      });
      return { done: done.catch(refusal), unsubscribe };
    },
    close: () => client.dispose(),
  };
}

function refusal(error) {
  throw Array.isArray(error) ? new Refused(error) : error;
}
