"""MLflow beside a run."""
