"""The process that reads headers may hang, die or not start: a file or nobody is to blame, and the next one is read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hollow_models import SD1, write

from otterbot_worker.errors import CannotLook
from otterbot_worker.models import header_reader
from otterbot_worker.models.header_reader import ENDS, NOT_YET, TOO_LONG, HeaderReader, Patience
from otterbot_worker.models.headers import BadFile

REAL = sys.executable
Double = Callable[[str], None]


@pytest.fixture
def reader() -> Iterator[HeaderReader]:
    made = HeaderReader(wall_seconds=20.0)
    yield made
    made.close()


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Double:
    """A program in the place of the process: what it does is a shell's script. ``$real`` is the real one."""
    place, count = tmp_path / "python", tmp_path / "starts"

    def write(script: str) -> None:
        place.write_text(f"#!/bin/sh\necho >> {count}\nreal='{REAL}'\n{script}\n")
        place.chmod(0o755)
        monkeypatch.setattr(header_reader.sys, "executable", str(place))

    return write


def starts(tmp_path: Path) -> int:
    return len((tmp_path / "starts").read_text().splitlines())


def model(tmp_path: Path, name: str = "a") -> Path:
    return write(tmp_path / f"{name}.safetensors", SD1)


def ask(reader: HeaderReader, path: Path, patience: Patience | None = None) -> dict[str, object]:
    return reader.ask("values", path, patience)


def test_one_process_reads_all_and_what_was_read_is_known(tmp_path: Path, reader: HeaderReader, double: Double) -> None:
    double('exec "$real" "$@"')
    paths = [model(tmp_path, f"m{number}") for number in range(20)]
    first = [ask(reader, path) for path in paths]
    assert [ask(reader, path) for path in paths] == first
    assert starts(tmp_path) == 1
    reader.close()
    assert [ask(reader, path) for path in paths] == first
    assert starts(tmp_path) == 1, "nothing had to be read"
    os.utime(paths[0], (1, 1))
    ask(reader, paths[0])
    assert starts(tmp_path) == 2


def test_one_that_had_nothing_to_do_is_replaced(tmp_path: Path, reader: HeaderReader, double: Double) -> None:
    """It ends by itself, and may do so at the moment when it is asked."""
    double(f'[ $(wc -l < {tmp_path}/starts) = 1 ] && {{ echo ready; exec true; }}\nexec "$real" "$@"')
    assert ask(reader, model(tmp_path))["values"]
    assert starts(tmp_path) == 2


def test_a_file_that_takes_too_long_is_left_alone(tmp_path: Path, double: Double) -> None:
    reader = HeaderReader(wall_seconds=0.3)
    double("echo ready; exec sleep 60")
    path = model(tmp_path)
    for _ in range(2):
        with pytest.raises(BadFile, match=TOO_LONG):
            ask(reader, path)
    assert starts(tmp_path) == 1, "it is known"
    reader.close()


def test_a_limit_of_the_processor_is_the_files_doing(tmp_path: Path, reader: HeaderReader, double: Double) -> None:
    double("echo ready; read line; kill -PROF $$")
    with pytest.raises(BadFile, match=TOO_LONG):
        ask(reader, model(tmp_path))
    double('exec "$real" "$@"')
    assert ask(reader, model(tmp_path, "b"))["values"], "the next file gets a fresh process"


def test_a_process_that_was_killed_gets_a_second_try(tmp_path: Path, reader: HeaderReader, double: Double) -> None:
    double(f'[ $(wc -l < {tmp_path}/starts) = 1 ] && {{ echo ready; read line; kill -KILL $$; }}\nexec "$real" "$@"')
    assert ask(reader, model(tmp_path))["values"]
    reader.close()
    double("echo ready; read line; kill -SEGV $$")
    with pytest.raises(BadFile, match=ENDS):
        ask(reader, model(tmp_path, "b"))


def test_where_no_process_starts_no_file_is_to_blame(tmp_path: Path, reader: HeaderReader, double: Double) -> None:
    path = model(tmp_path)
    for script in ("exit 1", "kill -KILL $$", "echo rubbish; exec sleep 60"):
        double(script)
        with pytest.raises(CannotLook, match=r"the file a\.safetensors could not be looked at"):
            ask(reader, path)
    double('exec "$real" "$@"')
    assert ask(reader, path)["values"]


def test_rubbish_is_no_answer(tmp_path: Path, reader: HeaderReader, double: Double) -> None:
    for number, said in enumerate(("rubbish", "[]", "{}", '{"found": 5}', '{"errno": "x"}')):
        double(f"echo ready; read line; echo '{said}'; exec sleep 60")
        with pytest.raises(BadFile):
            ask(reader, model(tmp_path, f"m{number}"))
        reader.close()


def test_a_look_has_an_end(tmp_path: Path, reader: HeaderReader) -> None:
    path = model(tmp_path)
    with pytest.raises(CannotLook, match=NOT_YET):
        ask(reader, path, Patience(0.0))
    with pytest.raises(CannotLook, match=NOT_YET):
        ask(reader, path, Patience(stopped=lambda: True))
    found = ask(reader, path, Patience(60.0))
    assert ask(reader, path, Patience(0.0)) == found, "what is known takes no time"


def test_what_is_known_does_not_wait_for_a_slow_file(tmp_path: Path, reader: HeaderReader, double: Double) -> None:
    known, slow, go = model(tmp_path), model(tmp_path, "slow"), tmp_path / "go"
    found = ask(reader, known)
    reader.close()
    double(f"echo ready; read line; while [ ! -e {go} ]; do sleep 0.02; done; exit 3")

    def read_slowly() -> None:
        with pytest.raises(BadFile):
            ask(reader, slow)

    thread = threading.Thread(target=read_slowly)
    thread.start()
    while not (tmp_path / "starts").exists():
        time.sleep(0.01)
    assert ask(reader, known) == found
    assert thread.is_alive()
    go.touch()
    thread.join()


def test_it_ends_with_whoever_asked(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from otterbot_worker.models.header_reader import READER;"
        "READER.ask('values', pathlib.Path(sys.argv[1])); print(READER._process.pid, flush=True); os._exit(0)"
    )
    path = model(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(Path(header_reader.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, env=environment, check=True)
    place = Path(f"/proc/{int(done.stdout)}/stat")
    until = time.monotonic() + 15
    while place.exists() and place.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < until
        time.sleep(0.02)
