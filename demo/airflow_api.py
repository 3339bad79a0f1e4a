"""What the demonstration asks of Airflow, over its public REST API (v2), as any script of a customer's could.

Read, trigger, and answer what a run asks; the Dags do the work.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Any, Final, Self

import httpx

PAUSES_WHILE_LOCKED: Final = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds between the tries of a request that Airflow answers with 503."""
TRIES_OF_A_BACKFILL: Final = 240
"""Half a second apart: Airflow notes every half minute which have ended, and refuses another of the Dag until then."""


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far a task is, mapped instances together."""

    task_id: str
    done: int
    total: int
    failed: int
    active: bool
    retrying: bool
    waiting_for_a_person: bool

    def __str__(self) -> str:
        progress = f"{self.task_id} {self.done}/{self.total}" if self.total > 1 else self.task_id
        return f"{progress} (retrying)" if self.retrying else progress


class AirflowApi:
    """A client of the API server at `url`."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=120, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def health(self) -> dict[str, str]:
        """Return the components' states: `healthy`, `unhealthy`, `unknown` for one that never reported; {} if down."""
        try:
            components = self._client.get("/api/v2/monitor/health").raise_for_status().json()
        except httpx.HTTPError:
            return {}
        return {name: component["status"] or "unknown" for name, component in components.items()}

    def log_in(self, credentials: Mapping[str, str] | None = None) -> None:
        """Fetch a token and use it from now on; `credentials` are `username` and `password` where they are asked for.

        Raises:
            httpx.HTTPStatusError: Airflow refuses them.
        """
        answer = self._client.post("/auth/token", json=credentials) if credentials else self._client.get("/auth/token")
        self._client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"

    def has_dag(self, dag_id: str) -> bool:
        """Tell whether the Dag is known."""
        return self._client.get(f"/api/v2/dags/{dag_id}").status_code == httpx.codes.OK

    def import_errors(self) -> list[str]:
        """Return file and last line of each Dag file that could not be read."""
        errors = self._get("/api/v2/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors]

    def unpause(self, dag_id: str) -> None:
        """Switch a Dag on."""
        self._ask("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False}).raise_for_status()

    def trigger(self, dag_id: str, conf: Mapping[str, Any], *, run_id: str | None = None) -> str:
        """Start a run with `conf` and return its id; a run of that id that is there already is taken as started."""
        body = {"logical_date": None, "conf": dict(conf), "dag_run_id": run_id}
        answer = self._ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)
        if run_id and answer.status_code == httpx.codes.CONFLICT:
            return run_id
        return str(answer.raise_for_status().json()["dag_run_id"])

    def backfill(self, dag_id: str, day: date) -> list[str]:
        """Start the runs that a Dag's schedule has on a day, counted in UTC; return their ids."""
        first, last = f"{day}T00:00:00Z", f"{day}T23:59:59Z"
        body = {"dag_id": dag_id, "from_date": first, "to_date": last}
        for _ in range(TRIES_OF_A_BACKFILL):
            answer = self._ask("POST", "/api/v2/backfills", json=body)
            if answer.status_code != httpx.codes.CONFLICT:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        of_the_day = f"run_type=backfill&logical_date_gte={first}&logical_date_lte={last}"
        return [str(run["dag_run_id"]) for run in self._get(f"/api/v2/dags/{dag_id}/dagRuns?{of_the_day}")["dag_runs"]]

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Answer what a task asks a person, as its page "Required Actions" does.

        Raises:
            httpx.HTTPStatusError: nobody is asked, or somebody has answered.
        """
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._ask("PATCH", path, json={"chosen_options": [option], "params_input": {}}).raise_for_status()

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return `queued`, `running`, `success` or `failed`."""
        return str(self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[TaskProgress]:
        """Return how far each task is."""
        instances = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=1000")["task_instances"]
        states: dict[str, list[str | None]] = {}
        for instance in instances:
            states.setdefault(instance["task_id"], []).append(instance["state"])
        return [_progress(task_id, of_task) for task_id, of_task in states.items()]

    def _get(self, path: str) -> Any:
        return self._ask("GET", path).raise_for_status().json()

    def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Send a request; while SQLite, the metadata database, is locked by another component, send it again."""
        for pause in PAUSES_WHILE_LOCKED:
            answer = self._client.request(method, path, **given)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer
            time.sleep(pause)
        return self._client.request(method, path, **given)


def _progress(task_id: str, states: list[str | None]) -> TaskProgress:
    return TaskProgress(
        task_id=task_id,
        done=sum(state in {"success", "skipped", "removed"} for state in states),
        total=len(states),
        failed=sum(state in {"failed", "upstream_failed"} for state in states),
        active=not {None, "success", "skipped", "removed", "failed", "upstream_failed"}.issuperset(states),
        retrying="up_for_retry" in states,
        waiting_for_a_person="awaiting_input" in states,
    )
