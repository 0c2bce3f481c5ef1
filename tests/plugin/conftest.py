"""What the plugin's tests have without asking: its core on doubles of homeserver and worker, and fixed random numbers.

Folders whose tests type commands have the rig of :mod:`command_rig` in its place.
"""

from __future__ import annotations

from hypothesis import settings as hypothesis_settings
from plugin_rig import listening, rig, server, values, worker_server

__all__ = ["listening", "rig", "server", "values", "worker_server"]

hypothesis_settings.register_profile("otterbot", database=None, derandomize=True)
hypothesis_settings.load_profile("otterbot")
