"""What ended executions have produced, as clients and files show it."""
