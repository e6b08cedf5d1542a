"""Copies the stages' events files into MLflow; the only module that knows MLflow.

The files are the truth. The tag `guidebench.run` finds the MLflow run of a stage's execution again,
and `guidebench.synced` counts its events in the store: nothing is written twice.
"""

import logging
import os
import re
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records import filesystem
from guidebench.pipeline.tracking.following import (
    LONGEST_LAST_SYNC_SECONDS,
    Execution,
    Sync,
    first_line,
)

log = logging.getLogger(__name__)

RUN_TAG = "guidebench.run"
SYNCED_TAG = "guidebench.synced"
METRICS_PER_BATCH = 1000
PARAMS_PER_BATCH = 100
LONGEST_PARAM = 6000
LONGEST_TAG = 5000

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
# Short, so that an unreachable server cannot hold the end of a run; the user's own values win.
HTTP_ENVIRONMENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


def store(results: Path) -> str:
    """The MLflow store's URI: `MLFLOW_TRACKING_URI`, else one sqlite file for all experiments."""
    default = f"sqlite:///{(Path(results) / 'mlflow.db').resolve()}"
    return os.environ.get("MLFLOW_TRACKING_URI") or default


def track(results: Path, uri: str, watch_pid: int | None) -> str | None:
    """Follow `results/*/events/**/*.jsonl` into the store until process `watch_pid` is gone.

    `watch_pid` None means one sync. MLflow is not imported before an event arrives. Trouble with
    the store is never raised: the return value is None, or the line (also logged) that says what is
    not yet in the store.
    """
    sync = Sync(Path(results), uri, lambda: _Store(Path(results), uri))
    if watch_pid is None:
        return sync.finish(float("inf"))
    return sync.finish(LONGEST_LAST_SYNC_SECONDS) if sync.watch(watch_pid) else None


def check(uri: str) -> None:
    """UserError if the store is a sqlite file on a network file system, where locks do not hold."""
    database = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", uri)
    if database and filesystem.is_network(kind := filesystem.kind(Path(database[1]))):
        raise UserError(
            f"MLFLOW_TRACKING_URI: found {Path(database[1]).resolve()} on {kind}, allowed: sqlite "
            "on a local disk; start `make server` where the database's disk is local and set "
            "MLFLOW_TRACKING_URI=http://HOST:PORT, or name a database on a local disk: "
            "MLFLOW_TRACKING_URI=sqlite:////local/disk/mlflow.db"
        )


class _Store:
    """Writes executions through an `MlflowClient`."""

    def __init__(self, results: Path, uri: str) -> None:
        self.results = results
        self.uri = uri
        os.environ.update(HTTP_ENVIRONMENT | os.environ | ENVIRONMENT)
        import mlflow.tracking  # noqa: F401  slow, so once and outside of any time limit

        for name in ("mlflow", "alembic", "urllib3"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    @cached_property
    def client(self) -> Any:
        """The client; making it creates a fresh sqlite store's tables."""
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=self.uri)

    def write(self, executions: list[Execution], last: bool) -> None:
        """Bring the executions' pending events into the store and drop them from memory."""
        for name in sorted({execution.folder.name for execution in executions}):
            group = [execution for execution in executions if execution.folder.name == name]
            experiment = self._experiment(name)
            runs = self._runs(experiment, group)
            for execution in group:
                try:
                    self._write(experiment, execution, runs.get(execution.run), last)
                except Exception as error:
                    # Deleted in MLflow's pages, or a value that it rejects: no retry will help.
                    if getattr(error, "error_code", "") != "INVALID_PARAMETER_VALUE":
                        raise
                    log.warning("MLflow refuses %s: %s", execution.name, first_line(error))
                    execution.drop(len(execution.pending))

    def _experiment(self, name: str) -> str:
        """Id of the experiment of that name, which is created or restored if need be."""
        experiment = self.client.get_experiment_by_name(name)
        if experiment is not None:
            if experiment.lifecycle_stage == "deleted":  # by hand; its name cannot be given again
                log.warning("MLflow: experiment %s had been deleted; restored", name)
                self.client.restore_experiment(experiment.experiment_id)
            return str(experiment.experiment_id)
        remote = self.uri.startswith("http")
        location = None if remote else (artifacts(self.results) / name).as_uri()
        # so that MLflow's pages open on trained models, not on traces of language models
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return str(self.client.create_experiment(name, artifact_location=location, tags=tags))

    def _runs(self, experiment: str, group: list[Execution]) -> dict[str, Any]:
        """MLflow runs by execution id, deleted ones too; many executions are asked for at once."""
        from mlflow.entities import ViewType

        filters = [f"tags.`{RUN_TAG}` = '{execution.run}'" for execution in group]
        runs: dict[str, Any] = {}
        for text in filters if len(group) <= 4 else [""]:
            token: str | None = None
            while True:
                page = self.client.search_runs([experiment], text, ViewType.ALL, page_token=token)
                runs |= {run.data.tags.get(RUN_TAG, ""): run for run in page}
                token = page.token
                if not token:
                    break
        return runs

    def _write(self, experiment: str, execution: Execution, run: Any, last: bool) -> None:
        from mlflow.entities import Metric, Param, RunTag

        if run is None:
            run = self.client.create_run(
                experiment,
                start_time=_milliseconds(execution.start["time"]),
                tags={key: str(value)[:LONGEST_TAG] for key, value in execution.tags.items()}
                | {RUN_TAG: execution.run},
                run_name=execution.name,
            )
        run_id = run.info.run_id
        synced = int(run.data.tags.get(SYNCED_TAG, 0))
        events = execution.pending[max(0, synced - execution.dropped) :]
        if synced == 0:
            params = [
                Param(_key(key), str(value)[:LONGEST_PARAM])
                for key, value in _flatten(execution.start["params"]).items()
            ]
            for first in range(0, len(params), PARAMS_PER_BATCH):
                self.client.log_batch(run_id, params=params[first : first + PARAMS_PER_BATCH])
        metrics = [
            Metric(_key(key), value, _milliseconds(event["time"]), event["step"])
            for event in events
            if event["event"] == "metric"
            for key, value in event["values"].items()
        ]
        for first in range(0, len(metrics), METRICS_PER_BATCH):
            self.client.log_batch(run_id, metrics=metrics[first : first + METRICS_PER_BATCH])
        for name in sorted({event["path"] for event in events if event["event"] == "artifact"}):
            if (execution.folder / name).is_file():
                parent = Path(name).parent.as_posix()
                target = None if parent.startswith("..") or parent == "." else parent
                self.client.log_artifact(run_id, str(execution.folder / name), target)
        for event in events:
            if event["event"] == "end":
                if event["error"]:
                    self.client.set_tag(run_id, "error", event["error"][:LONGEST_TAG])
                end_time = _milliseconds(event["time"])
                self.client.set_terminated(run_id, event["status"], end_time)
        if execution.killed(last) and run.info.status == "RUNNING":
            self.client.set_terminated(run_id, "KILLED", _milliseconds(execution.last_time))
        total = execution.dropped + len(execution.pending)
        if total > synced:
            self.client.log_batch(run_id, tags=[RunTag(SYNCED_TAG, str(total))])
        execution.drop(len(execution.pending))
        execution.closed = execution.ended or execution.killed(last)


def artifacts(results: Path) -> Path:
    """Where a store of this machine keeps its artifacts."""
    return (results / "mlartifacts").resolve()


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _key(name: str) -> str:
    return re.sub(r"[^\w\-. /:]", "_", name)


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} becomes {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, dict) and value
        flat |= _flatten(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat


if __name__ == "__main__":
    # The runner starts this module and not the command line, which would import the config model.
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    track(Path(sys.argv[1]), store(Path(sys.argv[1])), int(sys.argv[2]))
