"""The process in which llama.cpp's server has a language model. A program by itself: it imports nothing of ``chat``,
so that it starts at once and stays small.

A line of JSON on standard input says what to load and with which key to answer; a line on standard output says where.
It ends when its input does, and with its parent. What llama.cpp says goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from otterbot_worker.parent_death import die_with


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    die_with(parser.parse_args().parent)
    # llama.cpp writes where it likes; only our line may come out where the parent reads.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    wish = json.loads(sys.stdin.readline())
    server = _server(wish)
    print(json.dumps({"url": server.listening_address}), file=out, flush=True)
    sys.stdin.read()
    os._exit(0)  # in the middle of whatever


def _server(wish: dict[str, Any]) -> Any:
    import xllamacpp  # type: ignore[import-not-found, import-untyped, unused-ignore]

    params = xllamacpp.CommonParams()
    params.model.path = wish["path"]
    params.model_alias = {wish["name"]}
    params.n_ctx = wish["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = wish["threads"]
    params.cpuparams.poll = 0  # threads that spin while they wait take what a picture is drawn with
    params.api_keys = [wish["key"]]
    params.ui = False
    params.cache_ram_mib = 0  # old conversations, up to 8 GB of them
    if wish["tiny"]:
        # At the usual 0.8 it raves. It copies what it said before, word for word, after three turns at the latest, if
        # nothing keeps it from that: DRY looks for whole phrases, in all of the conversation.
        params.sampling.temp = 0.3
        params.sampling.penalty_repeat = 1.1
        params.sampling.penalty_last_n = 128
        params.sampling.dry_multiplier = 0.6
        params.sampling.dry_allowed_length = 4
        params.sampling.dry_penalty_last_n = wish["context"]
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
