"""Functions that raise, by the name of the exception."""


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even this fails")


def _raised(name: str) -> BaseException:
    match name:
        case "ValueError":
            return ValueError("no good")
        case "Speechless":
            return Speechless("never said")
        case "SystemExit":
            return SystemExit(3)
        case "KeyboardInterrupt":
            return KeyboardInterrupt()
        case "GeneratorExit":
            return GeneratorExit()
        case "UnicodeError":
            return UnicodeError("half a pair: \ud800")
        case _:
            return MemoryError("x" * 10_000_000)


def at_once(name: str) -> None:
    raise _raised(name)


async def later(name: str) -> None:
    raise _raised(name)
