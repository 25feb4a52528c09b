import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { Refused } from './errors.mjs';
import { socketTo } from './graphql-ws.mjs';

function clientWith(options, close = () => {}) {
  const client = new Client({ requestPolicy: 'network-only', preferGetMethod: false, ...options });
  return {
    async ask(query, variables) {
      const isMutation = query.trimStart().startsWith('mutation');
      const asked = isMutation ? client.mutation(query, variables) : client.query(query, variables);
      const { data, error } = await asked.toPromise();
      if (error) refusal(error);
      return data;
    },
    subscribe(query, variables, onNext) {
      let stop;
      const done = new Promise((resolve, reject) => {
        const results = client.subscription(query, variables);
        stop = results.subscribe((result) => {
          if (result.error) reject(result.error);
          // urql says the end of a stream by telling its last result again.
          else if (result.hasNext === false) resolve();
          else if (result.data) onNext(result.data);
        }).unsubscribe;
      });
      return { done: done.catch(refusal), unsubscribe: () => stop() };
    },
    close,
  };
}

function refusal(error) {
  throw error.graphQLErrors?.length ? new Refused(error.graphQLErrors) : error;
}

export const overSocket = {
  name: 'urql (ws)',
  connect(server) {
    const socket = socketTo(server);
    const forwardSubscription = (request) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe(request, sink) }),
    });
    const exchanges = [fetchExchange, subscriptionExchange({ forwardSubscription })];
    return clientWith({ url: server.url, exchanges }, () => socket.dispose());
  },
};

export const overFetch = {
  name: 'urql (fetch)',
  connect: (server) =>
    clientWith({ url: server.url, exchanges: [fetchExchange], fetchSubscriptions: true }),
};
