"""What tests of runs that go wrong share: a process that dies after a call, a call that is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.aws.saved_state import SavedState
from tests.aws.stand_in import StandIn, in_place, running, stand_in

LOOKS = ("Describe", "List", "Get", "Head", "Lookup", "AssumeRole")
"""Operations that begin so change nothing: nothing is lost where a process dies after one."""

QUESTIONS = ("describe", "describe_enclaves", "trace", "logs", "console", "ping", "job")
"""What an instance, or its parent application, is asked that changes nothing either."""


class Killed(BaseException):
    """Nothing of the package catches it."""


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A stand-in in AWS's place, for the tests of one file."""
    with stand_in(tmp_path_factory.mktemp("cloud") / "side") as one:
        yield one


@pytest.fixture(scope="session")
def after_p7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SavedState]:
    """A walk's state after P7; its AWS runs on, in nobody's place."""
    base = tmp_path_factory.mktemp("saved")
    with running(base / "side") as at:
        with in_place(at):
            state = SavedState.after(at, "P7", base / "kept")
        yield state


@pytest.fixture(scope="module")
def saved(after_p7: SavedState) -> Iterator[SavedState]:
    """A walk's state after P7, to be begun from again and again by the tests of one file."""
    with in_place(after_p7.at):
        yield after_p7


def cut_with(patch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Return what `cut` is."""
    real = BaseClient._make_api_call
    state: dict[str, Any] = {"after": 0, "calls": []}

    def call(client: Any, operation: str, params: Any) -> Any:
        answer = real(client, operation, params)
        if not (operation.startswith(LOOKS) or (operation == "SendCommand" and _looks(params))):
            state["calls"].append(operation)
            if len(state["calls"]) == state["after"]:
                raise Killed
        return answer

    patch.setattr(BaseClient, "_make_api_call", call)

    def arm(after: int) -> list[str]:
        state.update(after=after, calls=[])
        found: list[str] = state["calls"]
        return found

    return arm


def _looks(params: Any) -> bool:
    """Tell whether a SendCommand only looks: how often that is done is as the machine is."""
    line = str(params["Parameters"]["commands"][0])
    if line.startswith("cat "):
        return True
    try:
        request = json.loads(base64.b64decode(line.rpartition(" ")[2], validate=True))
    except ValueError:
        return False
    asked = request["request"] if request["op"] == "ask" else request  # of the parent application
    return asked["op"] in QUESTIONS


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Return a function: the process is killed after so many changing calls; 0 for never."""
    return cut_with(monkeypatch)


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function: the next calls of an operation are refused so; it returns which were."""
    real = BaseClient._make_api_call
    orders: dict[str, tuple[str, str, str, int]] = {}
    refused: list[str] = []

    def call(client: Any, operation: str, params: Any) -> Any:
        code, message, member, times = orders.get(operation, ("", "", "", 0))
        if times and (not member or member in params):
            orders[operation] = (code, message, member, times - 1)
            refused.append(operation)
            answer = {
                "Error": {"Code": code, "Message": message},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
            raise ClientError(answer, operation)  # type: ignore[arg-type]
        return real(client, operation, params)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)

    def order(operation: str, code: str, message: str = "", times: int = 1) -> list[str]:
        name, _, member = operation.partition(":")  # of the calls that say that member
        orders[name] = (code, message, member, times)
        return refused

    return order
