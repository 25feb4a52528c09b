import { createClient } from 'graphql-sse';
import { dataOf } from './errors.mjs';

export const name = 'graphql-sse';
export const sendsAnyText = true;
export const resumes = true;

/** Distinct connections mode: one request for each operation. */
export function connect(server) {
  const client = createClient({ url: server.url, fetchFn: fetch });
  const follow = (query, variables, onNext) => {
    let unsubscribe;
    const done = new Promise((resolve, reject) => {
      const next = (one) => {
        try {
          onNext(dataOf(one));
        } catch (error) {
          reject(error);
        }
      };
      unsubscribe = client.subscribe({ query, variables }, { next, error: reject, complete: resolve });
    });
    return { done, unsubscribe };
  };
  return {
    async ask(query, variables) {
      let data;
      await follow(query, variables, (found) => (data = found)).done;
      return data;
    },
    subscribe: follow,
    close: () => client.dispose(),
  };
}
