"""A module that cannot be imported: it wants to end the process."""

raise SystemExit(4)
