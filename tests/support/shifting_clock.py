"""A machine whose wall clock can be set, and whose time passes only when a test says so."""

DAY = 86_400.0
YEAR = 365 * DAY


class Machine:
    """Its two clocks, in nanoseconds, as `SystemClock` reads them."""

    def __init__(self, wall: float = 1_800_000_000.0) -> None:
        self._wall = int(wall * 1e9)
        self._measured = 12_345 * 10**9

    def wall(self) -> int:
        return self._wall

    def measured(self) -> int:
        return self._measured

    def shift(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._wall += int(seconds * 1e9)

    def pass_by(self, seconds: float) -> None:
        """Time goes on."""
        self._wall += int(seconds * 1e9)
        self._measured += int(seconds * 1e9)
