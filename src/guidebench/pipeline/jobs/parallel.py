"""Several processes for one training, and one GPU for each job of a machine that has several."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from guidebench.pipeline.errors import UserError

POLL_SECONDS = 0.2
MASTER = "GUIDEBENCH_MASTER"  # HOST:PORT where the processes of a training meet
# what CUDA_VISIBLE_DEVICES says when there is none (NoDevFiles: SLURM)
NO_GPU = {"", "-1", "NoDevFiles"}
STEP = "GUIDEBENCH_STEP"  # set in the processes of a training that srun started


def rank() -> int:
    """Number of this process among those of its training; 0 for one that trains alone."""
    return int(os.environ["RANK"]) if MASTER in os.environ else 0


def joins() -> bool:
    """Whether this process is one of several of a training.

    If it is, sets what torch and accelerate read: RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and
    MASTER_PORT.
    """
    if MASTER not in os.environ:
        return False
    host, _, port = os.environ[MASTER].partition(":")
    os.environ.update({"MASTER_ADDR": host, "MASTER_PORT": port})
    if STEP in os.environ:
        names = {"RANK": "PROCID", "LOCAL_RANK": "LOCALID", "WORLD_SIZE": "NTASKS"}
        os.environ.update({name: os.environ[f"SLURM_{source}"] for name, source in names.items()})
        if len(visible_gpus()) == 1:  # SLURM has bound each task to its own
            os.environ["LOCAL_RANK"] = "0"
    else:
        threading.Thread(target=_end_with_launcher, daemon=True).start()
    return True


def _end_with_launcher() -> None:
    """End this process when the launcher has ended, killed or not: then the pipe from it closes."""
    os.read(0, 1)
    os._exit(1)


def train_together(arguments: Sequence[str], processes: int, nodes: int, threads: int) -> None:
    """Run `guidebench` with `arguments` in that many processes; UserError when one fails.

    On one machine they are children of this process; over several nodes they are a job step of the
    SLURM job that this process runs in.
    """
    command = [sys.executable, "-m", "guidebench", *arguments]
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    host = socket.gethostname() if nodes > 1 else "127.0.0.1"
    environment = os.environ | {MASTER: f"{host}:{port}"}
    if nodes > 1:
        code = _job_step(command, processes, nodes, threads, environment)
    else:
        code = _children(command, processes, environment)
    if code:
        raise UserError(
            f"one of {processes} processes failed (exit code {code}); its error is "
            "in this job's log"
        )


def _job_step(
    command: list[str], processes: int, nodes: int, threads: int, environment: dict[str, str]
) -> int:
    if "SLURM_JOB_ID" not in environment:
        raise UserError(f"denoiser.nodes: found {nodes} outside of SLURM, allowed: 1")
    step = [
        "srun",
        f"--nodes={nodes}",
        f"--ntasks={processes}",
        f"--ntasks-per-node={processes // nodes}",
        "--kill-on-bad-exit=1",
        f"--cpus-per-task={threads}",  # without it one: a step does not inherit it from its job
    ]
    return subprocess.run([*step, *command], env=environment | {STEP: "1"}, check=False).returncode


def _children(command: list[str], processes: int, environment: dict[str, str]) -> int:
    children = []
    for number in range(processes):
        place = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": processes}
        variables = environment | {name: str(value) for name, value in place.items()}
        children.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=variables))
    try:
        while any(child.poll() is None for child in children):
            # the rest would wait for one that failed
            if failed := [child.returncode for child in children if child.returncode]:
                return int(failed[0])
            time.sleep(POLL_SECONDS)
        return max(abs(child.returncode) for child in children)
    finally:
        for child in children:
            child.kill()
            child.wait()


def visible_gpus() -> list[str]:
    """The GPUs that this process may use: CUDA_VISIBLE_DEVICES, else all of the machine."""
    if (listed := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        names = [name.strip() for name in listed.split(",")]
        return [name for name in names if name not in NO_GPU]
    return machine_gpus()


def machine_gpus() -> list[str]:
    """The GPUs that the driver lists; none without one."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return [] if done.returncode else done.stdout.split()


def gpus_to_use() -> bool:
    """Whether there are GPUs that this process may use, by the driver, too.

    CUDA_VISIBLE_DEVICES alone is no proof: SLURM may name some where there are none.
    """
    return bool(visible_gpus() and machine_gpus())


def on_gpu(device: str) -> bool:
    """Whether networks run on a GPU, as `device` (auto, cpu, cuda) asks; UserError where none can.

    Starts torch.
    """
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UserError("device: found cuda, allowed: auto or cpu (torch sees no GPU here)")
    if device == "auto" and not available and gpus_to_use():
        raise UserError(
            "device: found auto and GPUs that torch cannot use (an old driver?), allowed: cpu"
        )
    return available and device != "cpu"


def claim_gpus(count: int) -> list[str]:
    """Reserve `count` GPUs until this process ends, and show it no others.

    Jobs of one machine agree through locked files, which die with their owner. Where fewer are free
    the busy ones are shared, so a run without `--resources gpu=N` works, too.
    """
    names = visible_gpus()
    if len(names) <= count:
        return names
    free: list[str] = []
    for name in names:
        path = Path(tempfile.gettempdir()) / f"guidebench-{os.getuid()}-gpu-{quote(name, '')}.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free.append(name)
        except BlockingIOError:
            os.close(lock)
            continue
        if len(free) == count:
            break
    chosen = (free + [name for name in names if name not in free])[:count]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(chosen)
    return chosen
