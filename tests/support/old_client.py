"""What the old clients ask of a server, over REST and `/ws`."""

import json
from typing import Any

from deadlines import eventually
from server_process import ServerProcess
from websockets.sync.client import ClientConnection, connect


def run(server: ServerProcess, input: str = "hello", pipeline: str = "one") -> str:
    answer = server.client.post(f"/api/pipelines/{pipeline}/run", json={"input": input})
    return str(answer.raise_for_status().json()["executionId"])


def get(server: ServerProcess, path: str) -> Any:
    return server.client.get(path).json()


def ended(server: ServerProcess, id: str) -> Any:
    eventually(lambda: "result" in get(server, f"/api/executions/{id}"))
    return get(server, f"/api/executions/{id}")


def in_history(server: ServerProcess, id: str) -> Any:
    """The record of an execution, once it is there."""

    def record() -> Any:
        page = get(server, "/api/executions/history?pageSize=100")["executions"]
        return next((one for one in page if one["id"] == id), None)

    return eventually(record)


def begun(server: ServerProcess, id: str) -> None:
    eventually(lambda: get(server, f"/api/executions/{id}")["stages"][0].get("output") == "begun\n")


def socket(server: ServerProcess) -> ClientConnection:
    return connect(server.url.replace("http", "ws", 1) + "/ws")


def told(server: ServerProcess, id: str) -> list[dict[str, Any]]:
    """All that `/ws` says of an execution, up to its end."""
    events: list[dict[str, Any]] = []
    with socket(server) as old_socket:
        old_socket.send(json.dumps({"type": "subscribe", "executionId": id}))
        while not events or events[-1]["type"] != "execution:completed":
            events.append(json.loads(old_socket.recv(timeout=30)))
    return events


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]
