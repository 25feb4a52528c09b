// mercurius with its compiler (jit) on fastify, as its documentation has it.
import Fastify from "fastify";
import mercurius from "mercurius";
import { followChanges, listRows, Query, sayPlace, typeDefs } from "./store.mjs";

const app = Fastify();
app.register(mercurius, {
  schema: typeDefs,
  resolvers: {
    Query,
    Subscription: {
      executionProgress: { subscribe: (_, { id }, { pubsub }) => pubsub.subscribe(id) },
    },
  },
  subscription: true,
  jit: 1,
});
app.get("/api/executions", async () => ({ executions: listRows() }));
await app.listen({ port: 0, host: "127.0.0.1" });
followChanges((id, executionProgress) => app.graphql.pubsub.publish({ topic: id, payload: { executionProgress } }));
sayPlace(app.server.address().port);
