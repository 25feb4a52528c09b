"""The broker answers, and will not have us."""

from ...errors import RuncastError


class BrokerRefused(RuncastError):
    """Trying again does not help: somebody has to change a setting, here or there."""
