"""The worker processes as the server sees them: who runs in which, and what ends one."""
