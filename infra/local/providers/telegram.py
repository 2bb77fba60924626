"""Telegram's Bot API, as far as notices need it: `sendMessage`, and updates to the address that was set."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.providers import Arrived, Provider

MOST_TEXT = 4096


class Telegram(Provider):
    """One bot. `chats` are the people who opened a conversation with it, `blocked_by` those who ended it."""

    def __init__(self, token: str = "1234:bot-token", secret_token: str = "hook-secret") -> None:  # noqa: S107
        super().__init__()
        self.token, self.secret_token = token, secret_token
        self.chats: set[str] = set()
        self.blocked_by: set[str] = set()
        self.moved: dict[str, int] = {}
        """Groups that became another one, and its id."""
        self.retry_after_s = 3
        self._updates = 1000

    def routes(self) -> Sequence[Route]:
        """The one method that notices need."""
        return [Route("/bot{token}/sendMessage", self._send, methods=["POST"])]

    def refusal(self, status: int, code: int | str | None) -> Response:
        """An error as Telegram puts it, or what a gateway in front of it says."""
        if code is None:
            return Response("<html>error</html>", status, media_type="text/html")
        if status == 429:
            seconds = self.retry_after_s
            return _error(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})
        return _error(status, str(code))

    async def _send(self, request: Request) -> Response:
        if request.path_params["token"] != self.token:
            return self._refuse(401, "Unauthorized")
        body: dict[str, Any] = await request.json()
        chat, text = str(body.get("chat_id", "")), body.get("text")
        if not isinstance(text, str) or not text.strip():
            return self._refuse(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > MOST_TEXT:
            return self._refuse(400, "Bad Request: message is too long")
        if chat in self.moved:
            description = "Bad Request: group chat was upgraded to a supergroup chat"
            return self._refuse(400, description, {"migrate_to_chat_id": self.moved[chat]})
        if chat in self.blocked_by:
            return self._refuse(403, "Forbidden: bot was blocked by the user")
        if chat not in self.chats:
            return self._refuse(400, "Bad Request: chat not found")
        message_id = len(self.arrived) + 1
        self.arrived.append(Arrived(chat, text, str(message_id)))
        result = {"message_id": message_id, "date": 1_795_500_000, "chat": {"id": int(chat), "type": "private"}}
        return JSONResponse({"ok": True, "result": {**result, "text": text}})

    def _refuse(self, code: int, description: str, parameters: Mapping[str, Any] | None = None) -> Response:
        self.refused.append(description)
        return _error(code, description, parameters)

    async def write(self, chat: str, text: str, *, date: int = 1_795_500_000) -> int:
        """A person writes to the bot, by which the conversation begins. Raises as `call_back` does."""
        self.chats.add(chat)
        self._updates += 1
        message = {
            "message_id": self._updates,
            "date": date,
            "from": {"id": int(chat), "is_bot": False, "first_name": "Mai"},
            "chat": {"id": int(chat), "type": "private"},
            "text": text,
        }
        body = json.dumps({"update_id": self._updates, "message": message}).encode()
        headers = {"content-type": "application/json", "X-Telegram-Bot-Api-Secret-Token": self.secret_token}
        return await self.call_back(body, headers)


def _error(code: int, description: str, parameters: Mapping[str, Any] | None = None) -> Response:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return JSONResponse(body | ({"parameters": parameters} if parameters else {}), code)
