import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Message

from scheduler_app.web import events as module
from scheduler_app.web.events import MOST_LISTENERS, Events
from scheduler_app.web.parameters import WrongRequest


def stream(events: Events) -> AsyncIterator[bytes]:
    found: Any = events.listen().body_iterator
    return found  # type: ignore[no-any-return]


async def gone() -> Message:
    """Tell that a client has closed its connection."""
    return {"type": "http.disconnect"}


async def lose(message: Message) -> None:
    """Take what is sent to a client that is gone."""


async def state(iterator: AsyncIterator[bytes]) -> dict[str, object]:
    """Return what the next event tells."""
    text = (await anext(iterator)).decode()
    assert text.startswith("event: state\ndata: ")
    assert text.endswith("\n\n")
    content = json.loads(text.partition("data: ")[2])
    assert isinstance(content, dict)
    return content


def test_an_event_comes_at_once_and_then_when_something_has_changed() -> None:
    async def listen() -> None:
        current = {"version": 1}
        events = Events(lambda: dict(current), look=60.0)
        iterator = stream(events)
        assert await anext(iterator) == b"retry: 2000\n\n"
        assert await state(iterator) == {"version": 1}
        waiting = asyncio.ensure_future(state(iterator))
        events.changed()  # but nothing has
        await asyncio.wait([waiting], timeout=0)
        current["version"] = 2
        events.changed()
        assert await waiting == {"version": 2}
        events.end()
        assert [part async for part in iterator] == []

    asyncio.run(listen())


def test_what_changes_without_a_word_is_seen_too() -> None:
    async def listen() -> None:
        current = {"connected": True}
        iterator = stream(Events(lambda: dict(current), look=0.001))
        await anext(iterator)
        await state(iterator)
        current["connected"] = False
        assert await state(iterator) == {"connected": False}

    asyncio.run(listen())


def test_a_stream_without_events_is_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUIET", 0.002)

    async def listen() -> None:
        iterator = stream(Events(dict, look=0.001))
        await anext(iterator)
        await state(iterator)
        assert await anext(iterator) == b": still here\n\n"

    asyncio.run(listen())


def test_only_so_many_may_listen() -> None:
    async def listen() -> None:
        events = Events(dict)
        # they ask at one moment: none has begun to listen when the last one comes
        responses = [events.listen() for _ in range(MOST_LISTENERS)]
        with pytest.raises(WrongRequest, match="32 clients listen already"):
            events.listen()
        await responses[0]({"type": "http"}, gone, lose)
        assert events.listen()
        with pytest.raises(WrongRequest, match="32 clients listen already"):
            events.listen()

    asyncio.run(listen())


def test_without_listeners_nothing_happens() -> None:
    events = Events(dict)
    events.changed()
    events.end()
