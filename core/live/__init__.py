"""The executions in memory: who changes, finds and watches them."""
