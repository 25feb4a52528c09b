"""What runcast uses of its libraries although they have not promised it."""

import ast
import asyncio
import inspect
import tomllib
from asyncio.events import Handle
from collections.abc import Callable
from contextlib import closing
from contextvars import Context
from importlib.metadata import version
from pathlib import Path

import pytest
import runcast
import uvicorn
from graphql import parse
from packaging.requirements import Requirement
from runcast.schema.build import build_schema
from runcast.schema.executor import Executor
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

ROOT = Path(runcast.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = {one.name: one for one in map(Requirement, PROJECT["dependencies"])}
DOCUMENTED = {"_exit", "_current_frames", "_replace"}
"""Of `os`, `sys` and named tuples: private by their looks only."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
PYTHON = "python"
"""Not bounded: who runs the tests on a new version sees here whether it fits."""
ROOMS = ("core", "examples", "resolvers", "rest_compat", "schema", "server")


def graphql_core_schema() -> bool:
    """Strawberry has no public name for the schema of graphql-core that it builds."""
    return build_schema()._schema.query_type is not None


def fields_of_a_subscription() -> bool:
    """graphql-core keeps what it finds out about the fields of each event, under this name."""
    executor = Executor.build(build_schema()._schema, parse("{ __typename }"))
    return executor._relevant_sub_fields == {}


def what_is_no_http() -> bool:
    """uvicorn calls it when its parser gives up."""
    return "send_400_response" in vars(HttpToolsProtocol)


def what_becomes_a_socket() -> bool:
    """uvicorn calls it for a request with `Upgrade: websocket`, whatever its method."""
    return "handle_websocket_upgrade" in vars(HttpToolsProtocol)


def next_request() -> bool:
    """uvicorn calls it when an answer is complete: what came behind the request is looked at."""
    return "on_response_complete" in vars(HttpToolsProtocol)


def beginning_of_a_socket() -> bool:
    """uvicorn makes the scope in it, from the request that its parser has found."""
    return "handle_connect" in vars(WebSocketsSansIOProtocol)


def failure_of_a_socket() -> bool:
    """It ends a connection that has failed, with the close code that has been set."""
    return "handle_parser_exception" in vars(WebSocketsSansIOProtocol)


def state_of_a_socket() -> bool:
    """What uvicorn has read of it, and how large a message may be."""
    with closing(asyncio.SelectorEventLoop()) as loop:
        config = uvicorn.Config(context_of_a_step, log_config=None, ws_max_size=7)
        socket = WebSocketsSansIOProtocol(config, ServerState(), {}, loop)
    fresh = (socket.handshake_initiated, socket.handshake_complete, socket.close_sent)
    unread = (socket.frames, socket.read_paused, socket.conn.max_message_size)
    ways = (socket.writable.is_set(), socket.curr_msg_data_type in ("text", "bytes"))
    return (fresh, unread, ways) == ((False, False, False), ([], False, 7), (True, True))


def message_of_a_socket() -> bool:
    """uvicorn calls it when a message is whole; a text is decoded in it."""
    return "send_receive_event_to_app" in vars(WebSocketsSansIOProtocol)


def end_of_a_socket() -> bool:
    """What uvicorn raises in an application whose client has gone: libraries expect an OSError."""
    return issubclass(ClientDisconnected, OSError)


def context_of_a_step() -> bool:
    """asyncio has it in the handle of each step; the worker finds there whose step it is."""
    with closing(asyncio.SelectorEventLoop()) as loop:
        context = Context()
        return loop.call_soon(print, context=context)._context is context


def frame_of_a_step() -> bool:
    """Each step is run by this method, in Python: a frame of its code is a step."""
    return inspect.isfunction(Handle._run) and "self" in inspect.signature(Handle._run).parameters


def steps_to_come() -> bool:
    """asyncio holds them in a queue of this name; a fork of the worker drops them."""
    with closing(asyncio.SelectorEventLoop()) as loop:
        step = loop.call_soon(print)
        return list(loop._ready) == [step] and callable(loop._ready.clear)


NAMES: dict[str, tuple[str, Callable[[], bool]]] = {
    "_schema": ("strawberry-graphql", graphql_core_schema),
    "_relevant_sub_fields": ("graphql-core", fields_of_a_subscription),
    "send_400_response": ("uvicorn", what_is_no_http),
    "handle_websocket_upgrade": ("uvicorn", what_becomes_a_socket),
    "on_response_complete": ("uvicorn", next_request),
    "handle_connect": ("uvicorn", beginning_of_a_socket),
    "handle_parser_exception": ("uvicorn", failure_of_a_socket),
    "read_paused": ("uvicorn", state_of_a_socket),
    "send_receive_event_to_app": ("uvicorn", message_of_a_socket),
    "ClientDisconnected": ("uvicorn", end_of_a_socket),
    "_context": (PYTHON, context_of_a_step),
    "_run": (PYTHON, frame_of_a_step),
    "_ready": (PYTHON, steps_to_come),
}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_where_it_was(name: str) -> None:
    """The installed library has the name, and means by it what runcast does."""
    _, is_there = NAMES[name]
    assert is_there()


@pytest.mark.parametrize("library", sorted({library for library, _ in NAMES.values()} - {PYTHON}))
def test_its_library_is_bounded(library: str) -> None:
    """The next release that may drop the name is not installed before somebody has looked."""
    specifier = REQUIREMENTS[library].specifier
    assert any(one.operator == "<" for one in specifier)
    assert version(library) in specifier


def test_there_are_no_others() -> None:
    """A private attribute that is looked up is one of the same folder's own, or is listed."""
    found = set().union(*map(foreign_names, folders()))
    assert found == {name for name in NAMES if name.startswith("_")}


def folders() -> set[Path]:
    paths = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {path.parent for path in paths if "node_modules" not in path.parts}


def foreign_names(folder: Path) -> set[str]:
    """The private attributes that its modules look up and do not define."""
    trees = [ast.parse(path.read_text()) for path in folder.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    own = {node.attr for node in attributes if is_self(node.value)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name)}
    own |= {node.name for node in nodes if isinstance(node, FUNCTIONS)}
    used = {node.attr for node in attributes if not is_self(node.value)}
    private = {name for name in used if name.startswith("_") and not name.endswith("__")}
    return private - (own - set(NAMES)) - DOCUMENTED


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")
