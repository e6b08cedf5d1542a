"""MLflow's pages for this machine, and its store for many."""

import logging
import os
import socket
import sys
from pathlib import Path

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.tracking.following import public
from guidebench.pipeline.tracking.mlflow_store import ENVIRONMENT, artifacts, check

log = logging.getLogger(__name__)


def ui(results: Path, uri: str, port: int) -> None:
    """Replace this process by MLflow's pages on 127.0.0.1; UserError if they cannot be served."""
    if uri.startswith("http"):
        raise UserError(f"MLFLOW_TRACKING_URI: {public(uri)} is a server; open its pages there")
    _serve(results, uri, "127.0.0.1", port, "MLflow pages: %s (Ctrl-C ends them)")


def server(results: Path, host: str, port: int) -> None:
    """Replace this process by a store for many machines; UserError if it cannot be served.

    Its database is `MLFLOW_TRACKING_URI` or its own, not that of runs without a server: an
    experiment remembers whether its artifacts go through one.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri or uri.startswith("http"):
        uri = f"sqlite:///{(results / 'mlserver.db').resolve()}"
    line = "for every machine that reaches it: MLFLOW_TRACKING_URI=%s (Ctrl-C ends the server)"
    _serve(results, uri, host, port, line)


def _serve(results: Path, uri: str, host: str, port: int, line: str) -> None:
    check(uri)
    try:
        socket.create_server((host, port)).close()
    except (OSError, OverflowError) as error:
        reason = str(error).partition(" (")[0]
        raise UserError(f"--port: {host}:{port}: {reason}; allowed: a free port") from error
    log.info(line, f"http://{socket.gethostname() if host == '0.0.0.0' else host}:{port}")
    results.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", uri]
    command += ["--artifacts-destination", str(artifacts(results))]
    os.execve(sys.executable, command, _own_names(host, port) | os.environ | ENVIRONMENT)


def _own_names(host: str, port: int) -> dict[str, str]:
    """Environment variables by which MLflow's server answers to every name of this machine."""
    import psutil

    name, cards = socket.gethostname(), psutil.net_if_addrs().values()
    addresses = {a.address for card in cards for a in card if a.family == socket.AF_INET}
    own = {host, "localhost", name, name.partition(".")[0], socket.getfqdn()} | addresses
    names = sorted({name.lower() for name in own})
    return {
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(f"{name},{name}:*" for name in names),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{name}:{port}" for name in names),
    }
