"""How the benchmark reaches the stages of executions that run: each connects to it."""

import socket
import threading


class Wires:
    """One connection per execution; the first line on it is the execution's id."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._wires: dict[str, socket.socket] = {}
        self._arrived = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def wait_for(self, number: int) -> None:
        """Until so many executions have connected.

        Raises:
            SystemExit: they have not within a minute.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._wires) >= number, timeout=60):
                raise SystemExit(f"{len(self._wires)} of {number} executions run")

    def send(self, line: str) -> None:
        """`progress ID SHARE` has the stage report it; `output ID TEXT` has it say the text."""
        _, id, *text = line.split()
        self._wires[id].sendall(f"{' '.join(text)}\n".encode())

    def close(self) -> None:
        # Alone, close would leave the thread in its accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for wire in self._wires.values():
            wire.close()

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            with wire.makefile("r") as lines:
                id = lines.readline().strip()
            with self._arrived:
                self._wires[id] = wire
                self._arrived.notify_all()
