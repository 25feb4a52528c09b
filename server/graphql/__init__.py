"""GraphQL on the wire: HTTP, server-sent events, multipart and WebSocket."""
