import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { dataOf, refusal } from './errors.mjs';

export const name = 'graphql-ws';
export const sendsAnyText = true;
export const resumes = true;

/**
 * It tries again five times, and waits longer each time. By default it takes a server that is down for
 * the end of all tries; its documentation has this setting for a server that comes back.
 */
export const socketTo = (server) =>
  createClient({ url: server.wsUrl, webSocketImpl: WebSocket, shouldRetry: () => true });

export function connect(server) {
  const client = socketTo(server);
  const subscribe = (query, variables, onNext) => {
    let unsubscribe;
    const done = new Promise((resolve, reject) => {
      const sink = { next: (one) => onNext(dataOf(one)), error: reject, complete: resolve };
      unsubscribe = client.subscribe({ query, variables }, sink);
    });
    return { done: done.catch(refusal), unsubscribe };
  };
  return {
    async ask(query, variables) {
      let data;
      await subscribe(query, variables, (found) => (data = found)).done;
      return data;
    },
    subscribe,
    close: () => client.dispose(),
  };
}
