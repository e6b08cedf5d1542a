"""The private SLURM does no harm: it refuses another one, and ends only what it started."""

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import cluster
import psutil
import pytest
from patience import patience
from processes import MARK


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a machine without SLURM."""
    monkeypatch.setattr(cluster.psutil, "process_iter", lambda names: [])
    for folder in ("etc/slurm", "etc/systemd/system", "etc/default", "run/slurm/conf"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/slurm/slurm.conf").write_text(f"{cluster.MARKER}\nClusterName=x\n")
    (tmp_path / "etc/default/slurmd").write_text('# Debian\'s\nSLURMD_OPTIONS=""\n')
    cluster._refuse_another_slurm(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/slurm/slurm.conf", "ClusterName=real\n"),
        ("etc/slurm-llnl/slurmdbd.conf", "DbdHost=x\n"),
        ("etc/systemd/system/slurmd.service", ""),
        ("etc/systemd/system/sackd.service", ""),
        ("etc/default/slurmd", 'SLURMD_OPTIONS="--conf-server head"\n'),
        ("etc/default/sackd", "SACKD_OPTIONS=--conf-server=head\n"),
        ("run/slurm/conf/slurm.conf", "ClusterName=real\n"),
    ],
)
def test_a_configured_slurm_is_refused(path: str, text: str, quiet: Path) -> None:
    (quiet / path).parent.mkdir(exist_ok=True)
    (quiet / path).write_text(text)
    with pytest.raises(RuntimeError, match="is not the tests'") as caught:
        cluster._refuse_another_slurm(quiet)
    assert str(quiet / path) in str(caught.value)


@pytest.mark.parametrize("name", ["slurmd", "slurmctld", "munged", "sackd"])
def test_a_running_slurm_is_refused(name: str, quiet: Path, monkeypatch) -> None:
    one = SimpleNamespace(pid=7, info={"name": name, "status": psutil.STATUS_SLEEPING})
    monkeypatch.setattr(cluster.psutil, "process_iter", lambda names: [one])
    with pytest.raises(RuntimeError, match=f"{name} runs"):
        cluster._refuse_another_slurm(quiet)
    one.info["status"] = psutil.STATUS_ZOMBIE
    cluster._refuse_another_slurm(quiet)


def test_what_a_killed_harness_left_is_ended_and_nothing_else(tmp_path: Path, monkeypatch) -> None:
    configs = [tmp_path / "slurm.conf", tmp_path / "gres.conf"]
    configs[0].write_text(f"{cluster.MARKER}\n")
    configs[1].write_text("of somebody else\n")
    run = tmp_path / "run"
    run.mkdir()
    for name, value in {"CONFIGS": configs, "RUN": run, "STATE": run / "state.json"}.items():
        monkeypatch.setattr(cluster, name, value)
    monkeypatch.setattr(cluster, "_kill_jobs", lambda folder, nodes: None)
    user = os.environ | {MARK: "/a killed one/a pipeline"}
    with (
        subprocess.Popen(["sleep", "60"]) as ours,
        subprocess.Popen(["sleep", "60"]) as other,
        subprocess.Popen(["sleep", "60"], env=user) as pipeline,
    ):
        # a number that the system has since given to another process
        daemons = [(ours.pid, psutil.Process(ours.pid).create_time()), (other.pid, 1.0)]
        state = {"daemons": daemons, "folder": str(tmp_path), "users": "/a killed one"}
        cluster.STATE.write_text(json.dumps(state))
        cluster._clean_up_after_a_killed_one()
        ended = [process.wait(patience(10)) for process in (ours, pipeline)]
        spared = other.poll() is None
        other.kill()
    assert 0 not in ended
    assert spared
    assert not run.exists()
    assert [path.exists() for path in configs] == [False, True]


@pytest.mark.parametrize("fails", [False, True])
def test_pipelines_end_before_the_slurm_that_they_use(
    fails: bool, tmp_path: Path, monkeypatch
) -> None:
    """Also those in sessions of their own, and when SLURM did not come up."""
    seen = []

    def start(self) -> None:
        self.pipeline = subprocess.Popen(["sleep", "60"], start_new_session=True)
        if fails:
            raise RuntimeError("no SLURM")

    def stop(self) -> None:
        seen.append(psutil.Process(self.pipeline.pid).status())
        self.pipeline.wait()

    monkeypatch.setattr(cluster, "ETC", tmp_path)
    monkeypatch.setattr(cluster, "unavailable", lambda: None)
    monkeypatch.delenv("SLURM_CONF", raising=False)
    for name in ("_clean_up_after_a_killed_one", "_refuse_another_slurm"):
        monkeypatch.setattr(cluster, name, lambda: None)
    monkeypatch.setattr(cluster.Cluster, "_start", start)
    monkeypatch.setattr(cluster.Cluster, "_stop", stop)
    one = cluster.Cluster(tmp_path)
    with suppress(RuntimeError), one:
        assert psutil.Process(one.pipeline.pid).status() != psutil.STATUS_ZOMBIE
    assert seen == [psutil.STATUS_ZOMBIE]
    os.close(cluster._lock(tmp_path))  # free again
