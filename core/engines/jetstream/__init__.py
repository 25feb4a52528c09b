"""The broker of a cluster on NATS JetStream; needs `runcast[nats]`."""
