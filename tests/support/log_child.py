"""A process that writes a log until it is killed: `python log_child.py FOLDER`.

Says the number of each line once it is in the log.
"""

import sys
from itertools import count
from pathlib import Path

from log_model import NAMES, numbered_line
from runcast.core.encoded_text import EncodedText
from runcast.core.execution.log import LogStream
from runcast.core.results.blobs import FolderBlobs
from runcast.core.results.logs import LogStore


def main(folder: Path) -> None:
    writer = LogStore(FolderBlobs(folder), segment_bytes=4096).open(*NAMES)
    for number in count():
        writer.append(LogStream.STDOUT, EncodedText.of(numbered_line(number)), number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
