"""Answers in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web


def answer(values: Mapping[str, Any]) -> web.Response:
    return web.Response(text=json.dumps(values, ensure_ascii=False), content_type="application/json")
