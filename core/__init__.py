"""The domain: executions, pipelines, the manager that owns them and the engine that runs them."""
