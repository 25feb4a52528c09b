"""What a pipeline is, from its file to its definition."""
