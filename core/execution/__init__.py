"""An execution and what can happen to it: its state machine, events, lists and records."""
