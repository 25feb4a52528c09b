import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createPersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { getMainDefinition } from '@apollo/client/utilities';
import { createHash } from 'node:crypto';
import './browser.mjs';
import { refusal } from './errors.mjs';
import { socketTo } from './graphql-ws.mjs';

const isSubscription = ({ query }) => getMainDefinition(query).operation === 'subscription';

function clientWith(link, close) {
  const client = new ApolloClient({
    link,
    cache: new InMemoryCache(),
    defaultOptions: { query: { fetchPolicy: 'network-only' } },
  });
  return {
    ask: (query, variables) => {
      const document = gql(query);
      const asked = document.definitions[0].operation === 'mutation'
        ? client.mutate({ mutation: document, variables })
        : client.query({ query: document, variables });
      return asked.then(({ data }) => data, combined);
    },
    subscribe(query, variables, onNext) {
      let subscription;
      const done = new Promise((resolve, reject) => {
        subscription = client
          .subscribe({ query: gql(query), variables })
          .subscribe({
            next: ({ data, error }) => (error ? reject(error) : onNext(data)),
            error: reject,
            complete: resolve,
          });
      });
      return { done: done.catch(combined), unsubscribe: () => subscription.unsubscribe() };
    },
    close() {
      client.stop();
      return close?.();
    },
  };
}

function combined(error) {
  refusal(CombinedGraphQLErrors.is(error) ? error.errors : error);
}

export const overSocket = {
  name: 'apollo-ws',
  resumes: true,
  connect(server) {
    const socket = socketTo(server);
    const http = new HttpLink({ uri: server.url });
    const link = ApolloLink.split(isSubscription, new GraphQLWsLink(socket), http);
    return clientWith(link, () => socket.dispose());
  },
};

export const overMultipart = {
  name: 'apollo-multipart',
  connect: (server) => clientWith(new HttpLink({ uri: server.url })),
};

const sha256 = (query) => createHash('sha256').update(query).digest('hex');

export const overPersistedQueries = {
  name: 'apollo-persisted',
  hasSubscriptions: false,
  connect(server) {
    const persisted = createPersistedQueryLink({ sha256, useGETForHashedQueries: true });
    return clientWith(persisted.concat(new HttpLink({ uri: server.url })));
  },
};
