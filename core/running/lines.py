"""From the bytes of one stream to text, line by line."""

import codecs

LONG_LINE_CHARACTERS = 65_536
"""A line that is longer is not gathered before it is passed on."""


class Lines:
    """The text of a stream as whole lines, and the beginning of the next one."""

    def __init__(self) -> None:
        self.begun = ""
        """The beginning of a line that is not whole yet."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_old = False

    def feed(self, data: bytes) -> str:
        """The lines that are whole now."""
        text = self.begun + self._decoder.decode(data)
        whole, newline, self.begun = text.rpartition("\n")
        if newline:
            self._is_old = False
        if len(self.begun) <= LONG_LINE_CHARACTERS:
            return whole + newline
        self.begun = ""
        return text

    def rest(self) -> str:
        """What is left at the end."""
        text, self.begun = self.begun + self._decoder.decode(b"", final=True), ""
        return text

    def rest_if_old(self) -> str:
        """What is left of a line that had begun already when this was last asked."""
        if not (self.begun and self._is_old):
            self._is_old = bool(self.begun)
            return ""
        text, self.begun = self.begun, ""
        self._is_old = False
        return text
