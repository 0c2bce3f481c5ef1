from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from talk import PLAIN, Talk

from doubles.ollama import OllamaDouble


@pytest.fixture
async def double() -> AsyncIterator[OllamaDouble]:
    async with OllamaDouble({"models": [PLAIN]}) as double:
        yield double


@pytest.fixture
async def talk(double: OllamaDouble) -> AsyncIterator[Talk]:
    talk = Talk(double)
    yield talk
    await talk.client.close()
