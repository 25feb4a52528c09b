"""Where executions run."""
