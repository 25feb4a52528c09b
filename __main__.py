"""The `runcast` command, which is also `python -m runcast`."""

from .server.collector import uncollected


def main() -> None:
    """Runs the command that the arguments name, and ends the process."""
    with uncollected():
        from .server.cli import main as command
    command(prog_name="runcast")


if __name__ == "__main__":
    main()
