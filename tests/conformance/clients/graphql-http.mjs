import { createClient } from 'graphql-http';
import { dataOf, Refused } from './errors.mjs';

export const name = 'graphql-http';
export const hasSubscriptions = false;
export const sendsAnyText = true;

export function connect(server) {
  const client = createClient({ url: server.url, fetchFn: fetch });
  return {
    ask: (query, variables) =>
      new Promise((resolve, reject) => {
        let result;
        client.subscribe(
          { query, variables },
          { next: (one) => (result = one), error: reject, complete: () => resolve(result) },
        );
      }).then(dataOf, async (error) => {
        throw error.response ? new Refused((await error.response.json()).errors) : error;
      }),
    close: () => client.dispose(),
  };
}
