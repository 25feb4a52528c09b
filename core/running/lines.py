"""From what a stream gives as it comes to whole lines."""

from ..encoded_text import EncodedText, torn_bytes

LONG_LINE_BYTES = 65_536
"""A line that is longer is not gathered before it is passed on."""


class Lines:
    """A stream as whole lines, and the beginning of the next one; no character is torn, either.

    Invalid UTF-8 is replaced.
    """

    def __init__(self) -> None:
        self._begun = b""
        self._is_old = False

    def feed(self, data: bytes) -> EncodedText:
        """The lines that are whole now."""
        end = data.rfind(b"\n") + 1
        if end:
            self._is_old = False
        unended = len(data) - end if end else len(self._begun) + len(data)
        if unended > LONG_LINE_BYTES:
            end = len(data) - torn_bytes(data)
        if not end:
            self._begun += data
            return EncodedText()
        begun, self._begun = self._begun, data[end:]
        if begun.isascii() and data.isascii():
            return EncodedText.of_ascii(begun, memoryview(data)[:end])
        return EncodedText.of_bytes(begun + data[:end])

    @property
    def begun(self) -> int:
        """How many bytes wait for the end of their line, without a character that is not whole."""
        return len(self._begun) - torn_bytes(self._begun)

    def rest(self) -> EncodedText:
        """What is left at the end."""
        begun, self._begun = self._begun, b""
        return EncodedText.of_bytes(begun)

    def rest_if_old(self) -> EncodedText:
        """What is left of a line that had begun already when this was last asked."""
        begun = self.begun
        if not (begun and self._is_old):
            self._is_old = begun > 0
            return EncodedText()
        whole, self._begun = self._begun[:begun], self._begun[begun:]
        self._is_old = False
        return EncodedText.of_bytes(whole)
