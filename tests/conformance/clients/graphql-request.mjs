import { GraphQLClient } from 'graphql-request';
import { Refused } from './errors.mjs';

export const name = 'graphql-request';
export const hasSubscriptions = false;
export const sendsAnyText = true;

export function connect(server) {
  const client = new GraphQLClient(server.url);
  return {
    ask: (query, variables) =>
      client.request(query, variables).catch((error) => {
        throw error.response?.errors ? new Refused(error.response.errors) : error;
      }),
    close() {},
  };
}
