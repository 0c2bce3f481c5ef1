"""A picture that somebody keeps stays, whatever the archive's limits; only its client says so."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from jobs import image
from worker import Here, settings, worker_here
