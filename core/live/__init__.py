"""The executions that are held in memory: who changes, finds and watches them."""
