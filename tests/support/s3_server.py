"""An S3 server with one empty bucket: `python s3_server.py BUCKET`.

Says its port, and ends when its standard input does.
"""

import logging
import sys
from http.client import HTTPConnection

from moto.server import ThreadedMotoServer


def main(bucket: str) -> None:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    connection = HTTPConnection(host, port)
    connection.request("PUT", f"/{bucket}")
    assert connection.getresponse().status == 200
    connection.close()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
