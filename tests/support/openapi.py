"""Requests that schemathesis makes up from a service's OpenAPI document, put to the running service, and judged.

In a part of them, what the service knows stands in place of what was made up, some texts end in a NUL, and some
requests come without a key. All of it is drawn from the request as it was made up: the same document gives the same
requests.

OPENAPI_EXAMPLES=500 python -m pytest -n0 tests/integration/orders/test_openapi.py
"""

import asyncio
import os
import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core import NOT_SET
from schemathesis.core.result import Ok
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    UnserializablePayloadMark,
    create_test,
)
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.chassis.problems import MEDIA_TYPE

SERVICES = Path(__file__).resolve().parents[2] / "services"
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "5"))
"""Requests at random for each operation, beside those that try every limit in the document."""
KNOWN = 0.7
"""The part of the fields that get a value which the service knows, where there is one."""
WITH_NUL = 0.1
"""The part of all other texts that end in a NUL."""

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MODES = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.COVERAGE, HypothesisTestMode.FUZZING]
CONFIG = {
    "generation": {"deterministic": True, "with-security-parameters": False},
    "phases": {"coverage": {"unexpected-methods": []}},
}

Signer = Callable[[requests.PreparedRequest], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one service: with one of the `keys` or none, with values of `known` by the name of a field, and signed."""

    client: httpx.AsyncClient
    keys: Sequence[Mapping[str, str]]
    known: Mapping[str, Sequence[object]]
    sign: Signer = lambda request: {}
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def ask_all(self, service: str, subtests: pytest.Subtests) -> None:
        """Every operation of the document, each in a subtest."""
        path = SERVICES / service / "openapi.json"
        document = schemathesis.openapi.from_path(path, config=SchemathesisConfig.from_dict(CONFIG))
        chosen = settings(
            derandomize=True,
            database=None,
            max_examples=EXAMPLES,
            phases=[Phase.explicit, Phase.generate],  # a request is shown as it was found: to shrink it takes minutes
            suppress_health_check=list(HealthCheck),
        )

        def put(case: Any) -> None:
            self._ask(case)

        for found in document.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            with subtests.test(operation.label):
                config = HypothesisTestConfig(document.config, MODES, chosen)
                test = create_test(operation=operation, test_func=put, config=config)
                assert not UnserializablePayloadMark.get(test)
                test()

    def _ask(self, case: Any) -> None:
        """Sends it and judges the answer. Raises what schemathesis finds wrong, or AssertionError."""
        body = None if case.body is NOT_SET else case.body
        made_up = (case.method, case.path, case.path_parameters, case.query, dict(case.headers), body)
        draw = random.Random(zlib.crc32(repr(made_up).encode("utf-8", "surrogatepass")))
        case.path_parameters = self._changed(case.path_parameters, draw, "%00")
        case.query = self._changed(case.query, draw, "\0")
        if case.body is not NOT_SET:
            case.body = self._changed(case.body, draw, "\0")
        request = self._request(case, draw.choice([*self.keys, {}]))
        answer = self.loop.run_until_complete(self.client.send(request))
        case.validate_response(answer, checks=CHECKS)
        if answer.headers.get("content-type") == MEDIA_TYPE:
            assert answer.json()["status"] == answer.status_code
        else:
            assert answer.is_success or answer.is_redirect or "answers" in answer.json(), answer.text

    def _changed(self, value: Any, draw: random.Random, nul: str) -> Any:
        """The same with what is known in it, and with a NUL at the end of some texts: the database takes none."""
        if isinstance(value, str):
            return value + nul if draw.random() < WITH_NUL else value
        if isinstance(value, list):
            return [self._changed(one, draw, nul) for one in value]
        if not isinstance(value, Mapping):
            return value
        return {
            name: draw.choice(self.known[name])
            if name in self.known and draw.random() < KNOWN
            else self._changed(one, draw, nul)
            for name, one in value.items()
        }

    def _request(self, case: Any, key: Mapping[str, str]) -> httpx.Request:
        """What `requests` would send."""
        asked = case.as_transport_kwargs(base_url=str(self.client.base_url))
        parts = ("method", "url", "headers", "params", "cookies", "data", "json", "files")
        prepared = requests.Request(**{part: asked[part] for part in parts if part in asked}).prepare()
        assert prepared.method
        assert prepared.url
        headers = {**key, **prepared.headers, **self.sign(prepared)}
        return self.client.build_request(
            prepared.method,
            prepared.url,
            headers=[(_raw(name), _raw(value)) for name, value in headers.items()],
            content=_raw(cast("str | bytes", prepared.body or b"")),
        )


def _raw(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def _as_file(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


for media_type in ("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"):
    schemathesis.serializer(media_type)(_as_file)
