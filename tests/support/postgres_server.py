"""A PostgreSQL server of one's own, in a temporary folder and on a port of this machine."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import psycopg
from deadlines import eventually
from needs import need

MISSING = "no PostgreSQL (apt-get install postgresql)"
PASSWORD = "p:w/d@%"
"""Of the user `guarded`; nobody else needs one."""
HBA = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
# What is lost with the machine need not be stored; what is committed survives a kill all the same.
CONFIGURATION = """
autovacuum = off
fsync = off
full_page_writes = off
listen_addresses = '127.0.0.1'
max_connections = 60
shared_buffers = 32MB
unix_socket_directories = ''
wal_level = minimal
max_wal_senders = 0
"""


class PostgresServer:
    """`folder` belongs to the user that runs it: PostgreSQL refuses root."""

    def __init__(self, programs: Path, folder: Path, who: dict[str, Any]) -> None:
        self._programs, self._folder, self._who = programs, folder, who
        self._names = (f"history_{number}" for number in count())
        self._process: psutil.Popen | None = None
        self._run("initdb", "--no-sync", "-A", "trust", "-U", "tests", "-E", "UTF8", "--no-locale")
        self._data = folder / "data"
        (self._data / "pg_hba.conf").write_text(HBA)
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self) -> None:
        """Returns when it takes connections."""
        log = (self._folder / "log").open("ab")
        with log:
            self._process = psutil.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port)],
                stdout=log,
                stderr=log,
                **self._who,
            )
        eventually(self._answers)

    def make_roles(self) -> None:
        """`guarded` may do anything, with its password."""
        role = f"CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '{PASSWORD}'"
        self.execute("postgres", role)

    def kill(self) -> None:
        """kill -9: of the server and all of its processes."""
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        assert self._process is not None
        self._process.wait()
        self._process = None

    @contextmanager
    def killed(self) -> Iterator[None]:
        """It is away until the block is left."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Connections stay, and nobody answers on them."""
        family = self._family()
        for process in family:
            process.suspend()
        try:
            yield
        finally:
            for process in family:
                process.resume()

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=20)

    def url(self, database: str, user: str = "tests") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = next(self._names)
        self.execute("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def new_schema(self) -> str:
        """The URL of one that is as good as a database of its own, and made 30 times as fast."""
        name = next(self._names)
        self.execute("postgres", f"CREATE SCHEMA {name}")
        return f"{self.url('postgres')}?options=-csearch_path%3D{name}"

    def execute(self, database: str, *statements: str) -> None:
        """Runs statements in a database, each in a transaction of its own."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _family(self) -> list[psutil.Process]:
        assert self._process is not None
        return [self._process, *self._process.children(recursive=True)]

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments, self._folder / "data"],
            check=True,
            capture_output=True,
            cwd=self._folder,
            **self._who,
        )


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """One that runs, and is gone with its folder when the block is left."""
    programs = need(_programs(), MISSING)
    who: dict[str, Any] = {}
    # Not in pytest's folder, which root keeps to itself.
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        if os.geteuid() == 0:
            who = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(name, "postgres", "postgres")
        server = PostgresServer(programs, Path(name), who)
        try:
            server.start()
            server.make_roles()
            yield server
        finally:
            server.stop()


def _programs() -> Path | None:
    """Debian has those of each version in a folder of its own, and not on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_the_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_the_path).parent if on_the_path else None
