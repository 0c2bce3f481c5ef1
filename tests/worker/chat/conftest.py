from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from doubles.ollama import OllamaDouble


@pytest.fixture
async def double() -> AsyncIterator[OllamaDouble]:
    async with OllamaDouble() as double:
        yield double
