// Bun without GraphQL: JSON.stringify for each request and each message.
import { followChanges, listRows, sayPlace } from "./store.mjs";

const HEADERS = { headers: { "content-type": "application/json" } };
const followers = new Map(); // the id of an execution -> the subscriptions to it, [socket, its id of the subscription]

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request, server) {
    const { pathname } = new URL(request.url);
    if (pathname === "/api/executions") return new Response(JSON.stringify({ executions: listRows() }), HEADERS);
    const upgrade = { headers: { "sec-websocket-protocol": "graphql-transport-ws" } };
    if (pathname === "/graphql" && server.upgrade(request, upgrade)) return;
    return new Response("", { status: 404 });
  },
  websocket: {
    message(socket, text) {
      const message = JSON.parse(text);
      if (message.type === "connection_init") {
        socket.send('{"type":"connection_ack"}');
      } else if (message.type === "subscribe") {
        const { id } = message.payload.variables;
        if (!followers.has(id)) followers.set(id, new Map());
        followers.get(id).set(socket, message.id);
      }
    },
    close(socket) {
      for (const sockets of followers.values()) sockets.delete(socket);
    },
  },
});
followChanges((executionId, executionProgress) => {
  for (const [socket, id] of followers.get(executionId) ?? []) {
    socket.send(JSON.stringify({ id, type: "next", payload: { data: { executionProgress } } }));
  }
});
sayPlace(server.port);
