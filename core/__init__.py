"""The domain: executions, pipelines, the manager that holds them and the engine that runs them."""
