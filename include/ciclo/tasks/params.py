"""Params of the Dags, typed, with a form in the UI. The same name means the same in every Dag."""

from airflow.sdk import Param

from ciclo.provider.hook import BillimaticHook


def window_params() -> dict[str, Param]:
    """Return the params that every billing Dag takes."""
    return {
        "from_date": Param(
            None,
            type=["null", "string"],
            format="date",
            title="From",
            description="First issue date, included. Empty: the run's own day or month.",
        ),
        "to_date": Param(
            None, type=["null", "string"], format="date", title="To", description="Last issue date, included."
        ),
        "contract_ids": Param(
            [],
            type="array",
            items={"type": "integer"},
            title="Contracts",
            description="Ids of the contracts to bill. Empty: all of them.",
        ),
        "dry_run": Param(
            default=False, type="boolean", title="Dry run", description="Say what would be done, send nothing."
        ),
        **connection_param(),
    }


def connection_param() -> dict[str, Param]:
    """Return the param that names the Airflow connection."""
    return {
        "billimatic_conn_id": Param(
            BillimaticHook.default_conn_name,
            type="string",
            minLength=1,
            title="Connection",
            description="Airflow connection of type Billimatic.",
        )
    }
