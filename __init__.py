"""runcast: a GraphQL API server with subscriptions over the executions of multi-stage pipelines."""

__version__ = "0.1.0"
