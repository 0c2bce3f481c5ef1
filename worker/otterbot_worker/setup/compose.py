"""The service for `docker compose`: the worker of ``deploy/compose.yaml``, with what was chosen."""

from __future__ import annotations

import json

TEXT = """\
services:
  worker:
    image: otterbot-worker        # built by: docker build -f deploy/worker.Containerfile -t otterbot-worker .
    restart: unless-stopped
    init: true
    stop_grace_period: 30s
    environment:
      # Each setting of the worker can stand here.
      OTTERBOT_API__CLIENTS: '{{otterbot: /tokens/otterbot}}'
      OTTERBOT_CHAT__OLLAMA_URL: {ollama}
      OTTERBOT_IMAGES__DOWNLOADS: {downloads}
    volumes:
      - data:/data
      - models:/cache
      - tokens:/tokens
    deploy:
      resources:
        reservations:
          devices:
            - driver: nvidia
              count: 1
              capabilities: [gpu]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    ulimits:
      nofile: 65536
    # No ports: Maubot reaches it in this network, where nobody else listens.

volumes:
  data:
  models:
  tokens:                         # for Maubot as well: tokens:/tokens:ro
"""


def service(*, ollama_url: str | None, downloads: bool) -> str:
    return TEXT.format(ollama=json.dumps(ollama_url or "null"), downloads=json.dumps("true" if downloads else "false"))
