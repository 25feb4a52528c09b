"""The pipelines that runcast brings along."""
