"""Executions that any number of processes run and show, over a broker."""
