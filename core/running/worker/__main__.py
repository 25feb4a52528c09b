"""`python -P -m runcast.core.running.worker FD`: a worker; FD is its socket to the server."""

import faulthandler
import socket
import sys

from .channel import Channel
from .worker import Worker, protect_the_server

if __name__ == "__main__":
    faulthandler.enable()
    protect_the_server()
    connection = socket.socket(fileno=int(sys.argv[1]))
    # Nor do children get it that a function starts by `os.posix_spawn` or with `close_fds=False`.
    connection.set_inheritable(False)
    Worker(Channel(connection)).run()
