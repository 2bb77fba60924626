"""The few requests to RabbitMQ's management API that the local stack and the tests need."""

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from infra.rabbitmq.definitions import ADMIN, partners, topology


@dataclass(frozen=True)
class QueueDepth:
    """What waits in one queue, in messages; up to a second old."""

    name: str
    ready: int
    unacknowledged: int
    consumers: int


class Management:
    """The broker's HTTP API as its administrator. OSError (URLError) when it can't be reached."""

    def __init__(self, port: int, password: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.admin_url = f"http://{ADMIN}:{password}@127.0.0.1:{port}"
        token = base64.b64encode(f"{ADMIN}:{password}".encode()).decode()
        self._headers = {"authorization": f"Basic {token}", "content-type": "application/json"}
        # A proxy of the environment must not see what is said on the loopback interface.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(self, method: str, path: str, body: Any = None, timeout_s: float = 30) -> Any:
        """One request below /api; the decoded answer, or None if it is empty. HTTPError for 4xx and 5xx."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - always http to the loopback interface
            f"{self.url}/api{path}", data=content, headers=self._headers, method=method
        )
        with self._opener.open(request, timeout=timeout_s) as response:
            answer = response.read()
        return json.loads(answer) if answer else None

    def create_vhost(self, name: str) -> None:
        """A vhost in which every service has its permissions and its exchange, as in the first one."""
        self.request("POST", "/definitions", {"vhosts": [{"name": name}], **topology([name])})

    def create_partners_vhost(self, name: str) -> None:
        """A vhost for partners to publish in, as the one that is there from the start."""
        self.request("POST", "/definitions", {"vhosts": [{"name": name}], "permissions": partners(name)})

    def delete_vhost(self, name: str) -> None:
        """Delete it with its queues and connections, if it exists."""
        try:
            self.request("DELETE", f"/vhosts/{quote(name, safe='')}")
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404:
                raise

    def queues(self, vhost: str | None = "/") -> dict[str, QueueDepth]:
        """Every queue of the vhost, or of all with None, by name. Counts that the broker has not reported yet are 0."""
        place = "" if vhost is None else f"/{quote(vhost, safe='')}"
        return {
            it["name"]: QueueDepth(
                it["name"],
                it.get("messages_ready", 0),
                it.get("messages_unacknowledged", 0),
                it.get("consumers", 0),
            )
            for it in self.request("GET", f"/queues{place}")
        }
