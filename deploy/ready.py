"""Whether the worker of this machine can draw now, as ``/readyz`` says it: exit code 0, else 1 with the reasons.

Reads the settings as the worker does (``OTTERBOT_CONFIG``, ``OTTERBOT_…``), so it finds its address and its token.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path

from otterbot_worker import config_file


def ready() -> tuple[bool, str]:
    """And what there is to say about it."""
    named = os.environ.get("OTTERBOT_CONFIG")
    settings = config_file.load(Path(named) if named else None)
    try:
        address = settings.listen_file.read_text("ascii").strip()
        token = settings.token_file(next(iter(settings.api.clients))).read_text("ascii").strip()
    except OSError as error:
        return False, f"no worker runs: {error.filename} cannot be read ({error.strerror})"
    # A worker that listens on every address is asked on this machine's own.
    address = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    # Its certificate is for the name that others use.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    https = urllib.request.HTTPSHandler(context=context)
    request = urllib.request.Request(address + "/readyz", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), https).open(request, timeout=8) as answer:
            return True, str(json.load(answer))
    except urllib.error.HTTPError as error:
        return False, f"{error.code}: {error.read(10_000).decode(errors='replace')}"
    except OSError as error:
        return False, f"the worker at {address} does not answer ({error})"


if __name__ == "__main__":
    good, text = ready()
    print(text)
    sys.exit(0 if good else 1)
