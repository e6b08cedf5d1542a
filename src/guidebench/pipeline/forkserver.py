"""Jobs of one machine start as forks of a process that has imported the libraries once.

Importing torch, torchvision and diffusers takes longer than many jobs compute. So the Snakefile
starts one server for a run: `guidebench STAGE ...` in a rule hands it its arguments, environment,
folder and streams, waits, and ends as the fork did. The server imports nothing of ours (a fork runs
the code as it stands then) and starts no thread; so both ends of the conversation stand in this one
file, which the server runs as a script. Jobs of a cluster, on other systems than Linux, or
started by hand import for themselves.
"""

import ctypes
import gc
import importlib
import json
import os
import random
import resource
import secrets
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

ADDRESS = "GUIDEBENCH_FORKSERVER"  # of the abstract socket; it leaves no file behind
# threads do not survive a fork: pyarrow's allocator is told to start none
NO_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
# what the stages import, as far as it takes time
LIBRARIES = (
    "torch",
    "torchvision",
    "accelerate",
    "pandas",
    "pyarrow.parquet",
    "scipy.stats",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "PIL.Image",
    "jinja2",
    "pydantic",
    "yaml",
)
# importing them asks for GPUs, and then no fork can use one: only for machines without a GPU
ASKING = ("diffusers.models.unets.unet_2d",)
GPUS = ("nvidia[0-9]*", "kfd", "dxg")  # their device files, in /dev
SECONDS = 60.0  # for a request to come whole
FORKED = b"f"  # a fork has taken over
DIES_WITH_PARENT = 1  # prctl(2): PR_SET_PDEATHSIG

# commands whose own processes are forks, too; those of a stage, as a training's ranks, are its own
STARTING = {"run", "plan", "snakemake"}

FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
RESEEDED: dict[str, Callable[[Any], Any]] = {
    "numpy": lambda numpy: numpy.random.seed(),
    "torch": lambda torch: torch.default_generator.seed(),
}

_servers: list[subprocess.Popen[bytes]] = []


def main() -> None:
    """Entry point of `guidebench`: a fork does the work where a server answers."""
    if address := os.environ.get(ADDRESS):
        _ask(address)
    from guidebench.pipeline import cli

    cli.main()


def start(threads: int, *more: str) -> None:
    """Start the server of this process's jobs, `threads` each; it ends with this process.

    It imports `more` beside the stages' libraries. None is started where this process has one for
    as many threads, or the system no pidfd_open.
    """
    kind = f"guidebench-{threads}-"
    if os.environ.get(ADDRESS, "").startswith(kind):
        return
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return
    gpu = any(device for name in GPUS for device in Path("/dev").glob(name))
    libraries = (*LIBRARIES, *more) if gpu else (*LIBRARIES, *ASKING, *more)
    with socket.socket(socket.AF_UNIX) as listener:
        address = kind + secrets.token_hex(16)
        listener.bind(f"\0{address}")
        listener.listen(512)
        # it reads the end of its standard input when this process has ended
        _servers.append(
            subprocess.Popen(
                [sys.executable, "-P", __file__, str(listener.fileno()), *libraries],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                env=environment(threads),
            )
        )
    os.environ[ADDRESS] = address


def environment(threads: int) -> dict[str, str]:
    """What the libraries read when they are imported: threads for each job, and none here."""
    from guidebench.pipeline.threads import POOLS

    return os.environ | NO_THREAD | dict.fromkeys(POOLS, str(threads))


def _ask(address: str) -> None:
    """Let a fork do this process's work and end like it; return where no server answers."""
    variables = dict(os.environ)
    if not {*sys.argv[1:2]} & STARTING:
        del variables[ADDRESS]
    request = json.dumps([sys.argv, sys.path, os.getcwd(), variables]).encode()
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(f"\0{address}")
            if not _same_user(server):
                return
            socket.send_fds(server, [struct.pack("Q", len(request))], [0, 1, 2])
            server.sendall(request)
            if server.recv(1) != FORKED:
                return
        except OSError:
            return
        # a terminal's Ctrl-C reaches the fork, too, which has last words to say
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        answer = server.recv(4)
    if len(answer) < 4:
        sys.exit("the process that starts this run's jobs has ended, and they with it")
    (code,) = struct.unpack("i", answer)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _same_user(connection: socket.socket) -> bool:
    """Whether the other end belongs to this user: anybody may connect to an abstract socket."""
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", peer)
    return bool(user == os.getuid())


def serve(listener: socket.socket, libraries: list[str]) -> NoReturn:
    """Fork for each request until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # two open files for each job that runs
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES[1], FILES[1]))
    with selectors.DefaultSelector() as events:
        events.register(0, selectors.EVENT_READ)
        events.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in events.select():
                if events.get_map().get(key.fd) is not key:
                    continue  # gone with an event before it
                if key.fileobj == 0:
                    os._exit(0)
                if key.fileobj is listener:
                    _accept(listener, events, libraries)
                elif isinstance(key.fileobj, socket.socket):
                    # whoever asked is gone
                    events.unregister(key.fileobj)
                    os.kill(key.data, signal.SIGTERM)
                else:
                    _reap(key, events)


def _accept(listener: socket.socket, events: selectors.BaseSelector, libraries: list[str]) -> None:
    """Fork for one request."""
    connection, _ = listener.accept()
    connection.settimeout(SECONDS)
    streams: list[int] = []
    try:
        if not _same_user(connection):
            raise OSError("another user's")
        head, streams, _, _ = socket.recv_fds(connection, 8, 3)
        with connection.makefile("rb") as file:
            request = json.loads(file.read(*struct.unpack("Q", head)))
        load(libraries)
        pid = os.fork()
        if not pid:
            servers = {key.fd for key in events.get_map().values()}
            # `connection` stays open, so that who asked hears of the server's end after the fork's
            _work(request, streams, servers)
    except (OSError, ValueError, struct.error):
        connection.close()
        return
    finally:
        for stream in streams:
            os.close(stream)
    # first: whoever asked may be gone by now, and then the fork is ended like any other
    events.register(connection, selectors.EVENT_READ, pid)
    events.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
    with suppress(OSError):
        connection.sendall(FORKED)


def load(libraries: Iterable[str]) -> None:
    """Import them, once; one that is missing or broken is an error of the fork that needs it."""
    for name in libraries:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)
    gc.freeze()


def _work(request: list[Any], streams: list[int], servers: set[int]) -> NoReturn:
    """Be the process that asked: run its command line, and end."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGTERM)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for descriptor in {*streams, *servers} - {0, 1, 2}:
            os.close(descriptor)
        sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
        sys.argv, sys.path[:], folder, variables = request
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        with suppress(OSError):
            Path("/proc/self/comm").write_text(" ".join(["guidebench", *sys.argv[1:2]]))
        resource.setrlimit(resource.RLIMIT_NOFILE, FILES)
        # anew, what libraries drew or looked up when the server imported them
        random.seed()
        tempfile.tempdir = None
        for name, reseed in RESEEDED.items():
            if name in sys.modules:
                reseed(sys.modules[name])
        from guidebench.pipeline import cli

        cli.main()
    except SystemExit as error:
        if isinstance(error.code, int | None):
            code = error.code or 0
        else:
            sys.stderr.write(f"{error.code}\n")
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _reap(key: selectors.SelectorKey, events: selectors.BaseSelector) -> None:
    """Tell whoever asked how its fork ended."""
    pid, connection = key.data
    events.unregister(key.fileobj)
    os.close(key.fd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(KeyError):
        events.unregister(connection)
    with suppress(OSError):
        connection.sendall(struct.pack("i", code))
    connection.close()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
