"""Where executions run: the engines that the manager can be given."""
