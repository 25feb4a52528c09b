import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { refusal } from './errors.mjs';
import { socketTo } from './graphql-ws.mjs';

function clientWith(options, close = () => {}) {
  const client = new Client(options);
  return {
    async ask(query, variables) {
      const isMutation = query.trimStart().startsWith('mutation');
      const asked = isMutation ? client.mutation(query, variables) : client.query(query, variables);
      const { data, error } = await asked.toPromise();
      if (error) combined(error);
      return data;
    },
    subscribe(query, variables, onNext) {
      let following;
      const unsubscribe = () => following.unsubscribe();
      const done = new Promise((resolve, reject) => {
        following = client.subscription(query, variables).subscribe((result) => {
          if (result.error) reject(result.error);
          // urql says the end of a stream by telling its last result again.
          else if (result.hasNext === false) resolve();
          else if (result.data) onNext(result.data);
        });
      });
      // After an error urql takes the same subscription for open until it is left.
      return { done: done.finally(unsubscribe).catch(combined), unsubscribe };
    },
    close,
  };
}

function combined(error) {
  refusal(error.graphQLErrors?.length ? error.graphQLErrors : error);
}

export const overSocket = {
  name: 'urql-ws',
  resumes: true,
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
  name: 'urql-fetch',
  connect: (server) =>
    clientWith({ url: server.url, exchanges: [fetchExchange], fetchSubscriptions: true }),
};
