import { SubscriptionProtocol, UrlLoader } from '@graphql-tools/url-loader';
import { parse } from 'graphql';
import { dataOf } from './errors.mjs';
import { followed } from './iterated.mjs';

function connected(server, subscriptionsProtocol) {
  const execute = new UrlLoader().getExecutorAsync(server.url, { subscriptionsProtocol });
  const run = async (query, variables) => execute({ document: parse(query), variables });
  return {
    ask: (query, variables) => run(query, variables).then(dataOf),
    subscribe: (query, variables, onNext) => followed(run(query, variables), onNext),
    close() {},
  };
}

export const overSocket = {
  name: 'graphql-tools-ws',
  connect: (server) => connected(server, SubscriptionProtocol.WS),
};

export const overEvents = {
  name: 'graphql-tools-sse',
  connect: (server) => connected(server, SubscriptionProtocol.SSE),
};
