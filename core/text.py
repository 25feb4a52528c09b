"""Text as JavaScript clients count and trim it, and as a terminal can show it."""

# What JavaScript's String.trim removes (ECMA-262, WhiteSpace and LineTerminator); Python's strip()
# leaves U+FEFF and takes U+001C to U+001F. Source: section 1.6 of the REST contract.
_JS_WHITE_SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


def trimmed(text: str) -> str:
    """The text without white space around it."""
    return text.strip(_JS_WHITE_SPACE)


def beginning(text: str, units: int) -> str:
    """The first `units` UTF-16 units of a text at most, never half a character.

    Both `len()` in Python and `.length` in JavaScript are then at most `units`, and
    `text.startswith(beginning(text, units))` holds.
    """
    encoded = text[:units].encode("utf-16-le", "surrogatepass")
    return encoded[: 2 * units].decode("utf-16-le", "ignore")


def printable(text: str) -> str:
    """The text on one line, with escapes in the place of what cannot be shown or encoded.

    The name of a file may be any bytes: Python has lone surrogates for those that are not UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
