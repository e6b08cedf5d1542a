"""A private SLURM with two nodes on this machine, for tests: started, broken and stopped again.

    with Cluster(folder) as cluster:
        cluster.kill_node("n1")

Whatever pipeline still uses it when it stops is ended first: one that is left would wait for its
jobs for ever. `python tests/slurm/cluster.py` starts one to play with, `... clean` removes what a
killed one left. It needs Debian's packages slurm-wlm and
munge, and root: SLURM reads /etc/slurm/slurm.conf, because job steps do not inherit SLURM_CONF.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

import psutil

# also where this file is started alone
sys.path.insert(0, str(Path(__file__).parents[1]))
from patience import patience, slowness
from processes import end, ended

NODES = ("n1", "n2")
# each node's fake GPUs
DEVICES = ("/dev/null", "/dev/zero")
NAME = "guidebenchtest"
MARKER = "# guidebench test cluster: written and removed by tests/slurm/cluster.py"
ETC = Path("/etc/slurm")
CONFIGS = (ETC / "slurm.conf", ETC / "gres.conf")
# what the next start must find, and sockets, whose paths have at most 107 characters
RUN = Path("/run/guidebench-slurm")
STATE = RUN / "state.json"
# Debian's, which read /etc/slurm: those of a SLURM built by hand would reach another cluster
BINARIES = ("/usr/sbin/munged", "/usr/sbin/slurmctld", "/usr/sbin/slurmd", "/usr/bin/sbatch")
DAEMONS = {"munged", "slurmctld", "slurmd", "slurmstepd", "slurmdbd", "slurmrestd", "sackd"}
SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
KILL_WAIT = 5
# states in which a job has or awaits a node
UNFINISHED = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED"}
# key of a job -> where `scontrol show job` has it
FIELDS = {
    "id": r"^JobId=(\d+)",
    "name": r" JobName=(.*)$",
    "comment": r"^ +Comment=(.*)$",
    "state": r" JobState=(\S+)",
    "reason": r" Reason=(\S+)",
    "exit": r" ExitCode=(\S+)",
    "node": r"^ +NodeList=(.*)$",
    "start": r" StartTime=(\S+)",
    "end": r" EndTime=(\S+)",
}


def unavailable() -> str | None:
    """Why no cluster can run on this machine, for pytest.skip; None where one can."""
    for binary in BINARIES:
        found = shutil.which(Path(binary).name, path=SEARCH)
        if found is None or os.path.realpath(found) != os.path.realpath(binary):
            return f"{binary} is {found or 'missing'}: apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return f"only root can start SLURM's daemons and write {CONFIGS[0]}"
    return None


class Cluster:
    """Two virtual nodes, each with `cpus` CPUs and two fake GPUs, in one partition."""

    def __init__(self, folder: Path, cpus: int = 1) -> None:
        self.folder = folder.resolve()
        self.cpus = cpus
        self._daemons: dict[str, psutil.Popen] = {}
        self._held = contextlib.ExitStack()
        self._users = ""

    def __enter__(self) -> Self:
        if reason := unavailable():
            raise RuntimeError(reason)
        if "SLURM_CONF" in os.environ:
            raise RuntimeError("SLURM_CONF is set: this shell belongs to another SLURM")
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, _lock(ETC))
            _clean_up_after_a_killed_one()
            _refuse_another_slurm()
            stack.callback(self._stop)
            # ended before the SLURM that they use
            self._users = stack.enter_context(ended())
            self._start()
            self._held = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def jobs(self) -> list[dict[str, str]]:
        """Every job with the keys of FIELDS, finished ones too for five minutes."""
        blocks = re.findall(r"^JobId=.*(?:\n.+)*", _client("scontrol", "show", "job"), re.M)
        return [
            {
                key: match[1].strip().replace("(null)", "") if match else ""
                for key, match in ((key, re.search(p, block, re.M)) for key, p in FIELDS.items())
            }
            for block in blocks
        ]

    def nodes(self) -> dict[str, str]:
        """State of each node, such as idle, mixed or down; with a * where it does not answer."""
        lines = _client("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines()
        return dict(line.split() for line in lines)

    def cancel(self, job_id: str) -> None:
        _client("scancel", job_id)

    def wait_until(self, reached: Callable[[], bool], what: str, seconds: float = 60) -> None:
        seconds = patience(seconds)
        deadline = time.monotonic() + seconds
        while not reached():
            ended = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                problem = f"ended: {', '.join(ended)}" if ended else f"not within {seconds:g} s"
                raise RuntimeError(f"waiting for {what}, {problem}\n{self._logs()}")
            time.sleep(0.1)

    def kill_node(self, node: str) -> None:
        """As if its power had gone: the node's slurmd and everything that it runs die at once."""
        daemon = self._daemons.pop(node)
        daemon.kill()
        daemon.wait()
        _kill_jobs(self.folder, [node])
        self._record()

    def start_node(self, node: str) -> None:
        """Bring a killed node back; SLURM resumes it by itself (ReturnToService=2)."""
        # else SLURM looks for the lost jobs for more than a minute
        _client("scontrol", "update", f"nodename={node}", "state=down", "reason=power")
        self._spawn(node, "slurmd", "-D", "-N", node)
        # not idle: a job may have waited for it
        up = {"idle", "mixed", "allocated"}
        self.wait_until(lambda: self.nodes()[node] in up, f"{node} to be back")

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        RUN.mkdir(mode=0o755)
        self._record()
        key = RUN / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        for path, text in zip(CONFIGS, (self._slurm_conf(), _gres_conf()), strict=True):
            path.write_text(f"{MARKER}\n{text}")
        socket_path = RUN / "munge.socket"
        self._spawn(
            "munged",
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={socket_path}",
            f"--pid-file={RUN}/munged.pid",
            f"--seed-file={RUN}/munged.seed",
        )
        self.wait_until(socket_path.exists, "munged's socket", 10)
        self._spawn("slurmctld", "slurmctld", "-D", "-c")
        for node in NODES:
            self._spawn(node, "slurmd", "-D", "-N", node)
        idle = dict.fromkeys(NODES, "idle")
        self.wait_until(lambda: self.nodes() == idle, "the nodes to be idle")

    def _stop(self) -> None:
        # gently first; whatever goes wrong here, the daemons and the jobs are ended below
        if "slurmctld" in self._daemons:
            with contextlib.suppress(RuntimeError, subprocess.SubprocessError):
                _client("scancel", "--partition=main")
                over = lambda: all(job["state"] not in UNFINISHED for job in self.jobs())  # noqa: E731
                self.wait_until(over, "the jobs to end", KILL_WAIT + 3)
        _clear(self.folder, self._daemons.values())
        for daemon in self._daemons.values():
            daemon.wait()
        self._daemons.clear()

    def _spawn(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as log:
            self._daemons[name] = psutil.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": SEARCH, "SLURM_CONF": str(CONFIGS[0])},
                # Ctrl-C is for the harness, which stops them in order
                start_new_session=True,
            )
        self._record()

    def _record(self) -> None:
        """Note what the next start has to clean up, should this process be killed."""
        daemons = [(daemon.pid, daemon.create_time()) for daemon in self._daemons.values()]
        fresh = STATE.with_suffix(".new")
        state = {"folder": str(self.folder), "daemons": daemons, "users": self._users}
        fresh.write_text(json.dumps(state))
        fresh.replace(STATE)

    def _logs(self) -> str:
        tails = []
        for name in ("munged", "slurmctld", *NODES):
            path = self.folder / f"{name}.out"
            if path.exists():
                lines = path.read_text(errors="replace").splitlines()[-8:]
                tails.append("\n".join([f"--- {path}", *lines]))
        return "\n".join(tails)

    def _slurm_conf(self) -> str:
        host = socket.gethostname().split(".")[0]
        control, *ports = _free_ports(1 + len(NODES))
        memory = int(0.4 * psutil.virtual_memory().total / 2**20)
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
            f" CPUs={self.cpus} RealMemory={memory} Gres=gpu:{len(DEVICES)} State=UNKNOWN"
            for node, port in zip(NODES, ports, strict=True)
        )
        return f"""\
ClusterName={NAME}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={RUN}/munge.socket
# listen on 127.0.0.1 only
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
MailProg=/bin/true
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={RUN}/spool.%n
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd.%n.pid
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU={memory // self.cpus}
# nodes may have more CPUs than the machine
SlurmdParameters=config_overrides
GresTypes=gpu
AccountingStorageType=accounting_storage/none
# without cgroups, only the gatherer sees a job over its memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill,UsePss
KillWait={KILL_WAIT}
OverTimeLimit=0
# the tests look at the history of their jobs
MinJobAge=3600
# SLURM's default; the profile says that Snakemake submits again
JobRequeue=1
ReturnToService=2
# a busy machine's daemons answer late
SlurmdTimeout={round(15 * slowness())}
MessageTimeout={min(100, round(10 * slowness()))}
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=5
{nodes}
PartitionName=main Nodes={",".join(NODES)} Default=YES MaxTime=INFINITE State=UP
"""


def _gres_conf() -> str:
    return "".join(
        f"NodeName={node} Name=gpu File={device}\n" for node in NODES for device in DEVICES
    )


def _client(*command: str) -> str:
    """Output of a SLURM command that can only reach our cluster."""
    done = subprocess.run(
        command,
        env=os.environ | {"SLURM_CONF": str(CONFIGS[0])},
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _lock(folder: Path) -> int:
    """A lock that the system releases when this process dies, however it dies."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise RuntimeError("another guidebench test cluster runs on this machine") from None
    return handle


def _refuse_another_slurm(root: Path = Path("/")) -> None:
    """Raise if a SLURM that is not ours is configured or running; it could be a real one."""
    for path in (root / "etc").glob("slurm*/*.conf"):
        if path.name in ("slurm.conf", "gres.conf", "cgroup.conf", "slurmdbd.conf"):
            if not _ours(path):
                raise RuntimeError(f"{path} configures a SLURM that is not the tests'")
    # a host without a configuration of its own fetches the cluster's
    for path in (root / "run/slurm/conf").glob("*"):
        raise RuntimeError(f"{path} configures a SLURM that is not the tests'")
    # Debian's own units lie elsewhere and do nothing without slurm.conf
    for service in ("slurm*", "sackd*"):
        for path in (root / "etc/systemd/system").glob(service):
            raise RuntimeError(f"{path} sets up a SLURM service that is not the tests'")
        for path in (root / "etc/default").glob(service):
            if re.search(r"^\s*\w+=(?!(\"\"|'')?\s*$)", path.read_text(), re.M):
                raise RuntimeError(f"{path} sets up a SLURM service that is not the tests'")
    for process in psutil.process_iter(["pid", "name", "status"]):
        name, status = process.info["name"], process.info["status"]
        if name in DAEMONS and status != psutil.STATUS_ZOMBIE:
            raise RuntimeError(f"{name} runs (pid {process.pid}) and is not the tests'")


def _clean_up_after_a_killed_one() -> None:
    """End what a harness left that was itself killed: ours by pid and time of birth."""
    if not STATE.exists():
        shutil.rmtree(RUN, ignore_errors=True)
        return
    state = json.loads(STATE.read_text())
    if state["users"]:
        end(state["users"])
    daemons = []
    for pid, created in state["daemons"]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if abs(process.create_time() - created) < 0.1:
                daemons.append(process)
    _clear(Path(state["folder"]), daemons)


def _clear(folder: Path, daemons: Iterable[psutil.Process]) -> None:
    """Leave neither a process nor a file outside the folder; the list of both goes last."""
    # munged last: the others speak through it
    for daemon in reversed(list(daemons)):
        _end(daemon)
    _kill_jobs(folder, NODES)
    for path in CONFIGS:
        if path.exists() and _ours(path):
            path.unlink()
    shutil.rmtree(RUN, ignore_errors=True)


def _ours(path: Path) -> bool:
    return path.read_text().startswith(MARKER)


def _alive(process: psutil.Process) -> bool:
    # a zombie waits for its parent only
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _end(daemon: psutil.Process, seconds: float = 10) -> None:
    """SIGTERM, and SIGKILL if that does not help."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [daemon, *daemon.children(recursive=True)]
        daemon.terminate()
        deadline = time.monotonic() + patience(seconds)
        while any(map(_alive, family)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for process in filter(_alive, family):
            process.kill()


def _kill_jobs(folder: Path, nodes: Iterable[str]) -> None:
    deadline = time.monotonic() + patience(10)
    while processes := [one for node in nodes for one in _job_processes(folder, node)]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes that SIGKILL does not end: {processes}")
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(0.05)


def _job_processes(folder: Path, node: str) -> set[psutil.Process]:
    """The node's slurmstepds, everything below them, and what outlived its slurmstepd."""
    log = str(folder / f"{node}.log")
    found: set[psutil.Process] = set()
    for process in psutil.process_iter(["name"]):
        # of the system's first process, not even root may read the environment
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            # a slurmstepd's title overwrites its environment, but it holds the node's log open;
            # before it calls exec it still has the name of its slurmd
            if process.info["name"] in ("slurmd", "slurmstepd"):
                if any(file.path == log for file in process.open_files()):
                    found |= {process, *process.children(recursive=True)}
            elif _variables(process) == (NAME, node):
                found.add(process)
    return {process for process in found if _alive(process)}


def _variables(process: psutil.Process) -> tuple[str | None, str | None]:
    environment = process.environ()
    return environment.get("SLURM_CLUSTER_NAME"), environment.get("SLURMD_NODENAME")


def clean() -> None:
    """End what a killed harness left; RuntimeError while one is at work."""
    lock = _lock(ETC)
    _clean_up_after_a_killed_one()
    os.close(lock)


def main() -> None:
    # SIGTERM cleans up like Ctrl-C
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder)):
        sys.stdout.write(f"{_client('sinfo', '--Node', '--long')}logs: {folder}\nCtrl-C stops it\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    clean() if sys.argv[1:] == ["clean"] else main()
