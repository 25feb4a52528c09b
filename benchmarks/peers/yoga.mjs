// graphql-yoga with graphql-ws, as their documentation has it.
import { createServer } from "node:http";
import { useServer } from "graphql-ws/use/ws";
import { createPubSub, createSchema, createYoga } from "graphql-yoga";
import { WebSocketServer } from "ws";
import { followChanges, Query, sayPlace, typeDefs } from "./store.mjs";

const pubSub = createPubSub();
const schema = createSchema({
  typeDefs,
  resolvers: {
    Query,
    Subscription: {
      executionProgress: {
        subscribe: (_, { id }) => pubSub.subscribe("progress", id),
        resolve: (progress) => progress,
      },
    },
  },
});
const yoga = createYoga({ schema, logging: false, graphiql: false });

// From graphql-yoga's page about subscriptions over graphql-ws.
async function onSubscribe(ctx, _id, params) {
  const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
    ...ctx,
    req: ctx.extra.request,
    socket: ctx.extra.socket,
    params,
  });
  const args = {
    schema,
    operationName: params.operationName,
    document: parse(params.query),
    variableValues: params.variables,
    contextValue: await contextFactory(),
    rootValue: { execute, subscribe },
  };
  const errors = validate(args.schema, args.document);
  return errors.length ? errors : args;
}

const server = createServer(yoga);
useServer(
  {
    execute: (args) => args.rootValue.execute(args),
    subscribe: (args) => args.rootValue.subscribe(args),
    onSubscribe,
  },
  new WebSocketServer({ server, path: yoga.graphqlEndpoint }),
);
server.listen(0, "127.0.0.1", () => sayPlace(server.address().port));
followChanges((id, progress) => pubSub.publish("progress", id, progress));
