"""The process that forks: ``python server.py FD KIND ROOM``.

It imports what processes of its kind need, says on the socket ``FD`` that it is ready, and answers each request there
with the id of a fork. A request is one packet: JSON, and the open files of the new process.

==============  ====================================================================================================
``arguments``   the command line, beginning with the interpreter
``environment`` the whole of it
``folder``      where it runs; null: where this process runs
``files``       the numbers under which it gets the files that came with the packet
``parent``      the process that asks. It is to be the parent, and a child subreaper until it has the answer
``session``     whether it leads a session of its own
``dies``        the signal that it gets when its parent has ended; null: none
``anew``        whether it is no fork, but a new interpreter (``execve``) with a server of its own, which is a fork
``serves``      whether it is a fork with a server of its own, which is a fork, too; may be absent
==============  ====================================================================================================

It says when it is ready, and ends when nobody holds the other end of the socket. ``ROOM`` is what the command lines of
forks are written over.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import importlib
import io
import json
import os
import resource
import runpy
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PACKET = 256 * 1024
FILES = 64
READY = b"ready"
ADOPTED_S = 30.0
PDEATHSIG = 1  # of prctl
SERVER = "OTTER_TESTS_SERVER"
"""The environment variable of a new interpreter that tells it of its own server: the number of the socket to it,
`read_at_import` and `python_path`."""
DRAWS = ("otterbot_worker.images.child", "otterbot_worker.doctor.card")
FETCHES = ("otterbot_worker.images.load.download",)
READS = ("otterbot_worker.models.header_process", "otterbot_worker.inputs.check", "otterbot_worker.inputs.shown")
IMPORTS = {
    "draws": (
        "otterbot_worker.images.engine",
        "otterbot_worker.families.clip",
        "compel",
        "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
        "diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl",
    ),
    # Not the hub's library, and nothing that imports it: it reads its settings when it is imported, each time others.
    "fetches": (
        "torch._dynamo.variables.user_defined",
        "torch.distributed.fsdp",
        "numpy.random",
        "PIL.Image",
        "anyio",
        "filelock",
        "fsspec",
        "httpx2",
        "jinja2",
        "psutil",
        "regex",
        "requests",
        "safetensors.torch",
        "tokenizers",
        "tqdm.auto",
        "yaml",
    ),
    "maubot": (
        "maubot.client",
        "maubot.instance",
        "maubot.loader.zip",
        "maubot.management.api",
        "maubot.server",
        "mautrix.crypto.store",
    ),
    "reads": ("otterbot_worker.gpu.messages", "otterbot_worker.gpu.card_lock", "PIL.Image", "PIL.ImageCms"),
    "synapse": ("synapse_ready",),  # beside this file
}
IMPORTS["serves"] = (
    "otterbot_worker.api.server", "otterbot_worker.page.mount", *IMPORTS["reads"], *IMPORTS["draws"],
)  # fmt: skip
MAINS = {"draws": DRAWS, "serves": (*DRAWS, *READS), "fetches": FETCHES, "reads": READS, "maubot": (), "synapse": ()}
"""The modules that forks run as their main module, and therefore import themselves."""
SYSTEM = ("LANG", "LC_", "LD_")
TORCH = (*SYSTEM, "CUDA_", "MKL_", "OMP_NUM_THREADS", "PYTORCH_", "TORCH")
LIBRARIES = (*TORCH, "DIFFUSERS_", "HF_", "OMP_", "TRANSFORMERS_")
MAKER = str(Path(__file__).resolve().parents[1] / "worker" / "support" / "make_tiny_models.py")
READ_AT_IMPORT = {
    MAKER: LIBRARIES,
    "otterbot_worker.images.child": LIBRARIES,
    "otterbot_worker.doctor.card": TORCH,
    "otterbot_worker.images.load.download": TORCH,
}
"""By main modules: beginnings of the environment variables that what they import reads then. For others: `SYSTEM`."""
READ_LATER = ("HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HF_TOKEN")
"""But the libraries are offline in a GPU process, and it reads these itself, when it needs them."""

Request = dict[str, Any]


def main() -> None:
    number, kind, _ = sys.argv[1:]
    connection = socket.socket(fileno=int(number))
    given, read = python_path(os.environ), read_at_import(os.environ)
    path = [place for place in sys.path[1:] if place not in given]
    preload(kind)
    connection.send(READY)
    while True:
        request = serve(connection)
        settle(request)
        if request["anew"] or request.get("serves"):
            end, is_server = own_server()
            if is_server:
                connection = end
                continue
            if request["anew"]:
                start_anew(request["arguments"], request["environment"], end, [read, given])
            take_over(end, read, given)
        return run(request["arguments"], request["environment"], path)


def preload(kind: str) -> None:
    """Import what the forks need, out of sight of the garbage collection, which would copy the memory they share."""
    gc.disable()
    with alone_at_first(Path(sys.prefix) / f".imported-{kind}"):
        for name in (*IMPORTS[kind], *MAINS[kind]):
            importlib.import_module(name)
    for name in MAINS[kind]:
        del sys.modules[name]
    gc.freeze()
    gc.enable()


@contextlib.contextmanager
def alone_at_first(mark: Path) -> Iterator[None]:
    """In an environment whose modules pip has not compiled, the first process compiles them while the others wait: side
    by side each of them would. ``mark`` is the file that says that it is done."""
    if mark.exists():
        yield
        return
    with mark.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.exists():
            fcntl.flock(lock, fcntl.LOCK_UN)
        yield
        mark.touch()


def python_path(environment: Mapping[str, str]) -> list[str]:
    return list(filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)))


def read_at_import(environment: Mapping[str, str], main: str = "otterbot_worker.images.child") -> dict[str, str]:
    """Of an environment, what is read when all is imported that a main module imports."""
    beginnings = READ_AT_IMPORT.get(main, SYSTEM)
    return {
        name: value for name, value in environment.items() if name.startswith(beginnings) and name not in READ_LATER
    }


# ---------------------------------------------------------------- forking


def serve(connection: socket.socket) -> Request:
    """Answers until nobody can ask any more. Returns in the forks alone, each with its request."""
    while True:
        words, files, _, _ = socket.recv_fds(connection, PACKET, FILES)
        if not words:
            os._exit(0)
        request: Request = json.loads(words)
        reading, writing = os.pipe()
        between = os.fork()
        if not between:
            if child := os.fork():
                os.write(writing, str(child).encode())
                os._exit(0)  # now the kernel gives the child to the nearest subreaper, which is the process that asks
            wait_for(request["parent"])
            connection.detach()
            return {**request, "opened": files}
        os.waitpid(between, 0)
        connection.send(os.read(reading, 32))
        for file in (reading, writing, *files):
            os.close(file)


def wait_for(parent: int) -> None:
    end = time.monotonic() + ADOPTED_S
    while os.getppid() != parent:
        if time.monotonic() > end:
            os._exit(70)
        time.sleep(0.0005)


def settle(request: Request) -> None:
    """The session, folder and open files of the new process; no other file stays open."""
    if request["session"]:
        os.setsid()
    if request["dies"] is not None:
        ctypes.CDLL(None).prctl(PDEATHSIG, request["dies"], 0, 0, 0)
        if os.getppid() != request["parent"]:
            os._exit(70)
    if request["folder"] is not None:
        os.chdir(request["folder"])
    numbers: list[int] = request["files"]
    free = max([2, *numbers]) + 1
    kept = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, free) for file in request["opened"]]
    for file in map(int, os.listdir("/proc/self/fd")):
        if file not in kept:
            with contextlib.suppress(OSError):  # the listing's own is closed already
                os.close(file)
    for file, number in zip(kept, numbers, strict=True):
        os.dup2(file, number)
        os.close(file)


def own_server() -> tuple[socket.socket, bool]:
    """A fork that is a server for what this process starts. Returns the socket to it, and in it the one it serves; and
    whether this is the server."""
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        ours.close()
        return theirs, False
    theirs.close()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    return ours, True


def start_anew(
    arguments: Sequence[str], environment: Mapping[str, str], end: socket.socket, about: Sequence[Any]
) -> None:
    """Become a new interpreter, which is told of its server at the other side of ``end``."""
    end.set_inheritable(True)
    told = json.dumps([end.fileno(), *about])
    path = os.pathsep.join([str(Path(__file__).with_name("anew")), *python_path(environment)])
    os.execve(arguments[0], arguments, {**environment, "PYTHONPATH": path, SERVER: told})


def take_over(end: socket.socket, read: Mapping[str, str], paths: Sequence[str]) -> None:
    """GPU processes and readers of this process are forks of the server at the other side of ``end``."""
    tests = str(Path(__file__).resolve().parents[1])
    sys.path.insert(0, tests)
    from forks import client

    sys.path.remove(tests)
    client.fork_from(client.Client(end, read, paths))


# ---------------------------------------------------------------- being a new process


def run(arguments: Sequence[str], environment: dict[str, str], path: list[str]) -> None:
    """What the interpreter does with its command line. Forms: ``python -m MODULE …``, ``python [-P] FILE …``."""
    os.environ.clear()
    os.environ.update(environment)
    name_process(arguments)
    leave_room_for_what_is_shared()
    unbuffered = bool(environment.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = writer(1, unbuffered, "strict")
    sys.stderr = sys.__stderr__ = writer(2, unbuffered, "backslashreplace")
    if arguments[1] == "-m":
        sys.argv[:] = arguments[2:]
        sys.path[:] = [os.getcwd(), *python_path(environment), *path]
        runpy.run_module(arguments[2], run_name="__main__", alter_sys=True)
    else:
        safe = arguments[1] == "-P"
        sys.argv[:] = arguments[1 + safe :]
        sys.path[:] = [*([] if safe else [str(Path(sys.argv[0]).parent)]), *python_path(environment), *path]
        runpy.run_path(sys.argv[0], run_name="__main__")


def leave_room_for_what_is_shared() -> None:
    """A process that limits its address space limits what it maps itself: what it has from the server comes on top."""
    shared = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = resource.setrlimit

    def limit_own(what: int, limits: tuple[int, int]) -> None:
        if what == resource.RLIMIT_AS:
            soft, hard = (one if one == resource.RLIM_INFINITY else one + shared for one in limits)
            limits = (soft, hard)
        limit(what, limits)

    resource.setrlimit = limit_own


def writer(number: int, unbuffered: bool, errors: str) -> io.TextIOWrapper:
    file = open(number, "wb", buffering=0 if unbuffered else -1, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(file, "utf-8", errors, write_through=unbuffered, line_buffering=number == 2)


def name_process(arguments: Sequence[str]) -> None:
    """Write the command line over the server's, so that ``/proc`` has it."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    words = b"".join(os.fsencode(word) + b"\0" for word in arguments)
    if len(words) > end - start:
        raise RuntimeError("the server has too little room for this command line")
    ctypes.memmove(start, words.ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    main()
