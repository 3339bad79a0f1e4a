"""Alembic, driven from code: `ciclo db upgrade` needs no ini file and works from an installed package."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

MIGRATIONS = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


@cache
def newest_revision() -> str:
    """Return the migration that this version of Ciclo needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise LookupError(f"no migration in {MIGRATIONS}")
    return head


def upgrade(engine: Engine, revision: str = "head") -> str:
    """Bring the ledger up to a migration, by default to `newest_revision()`, and return it; harmless if it is there."""
    _run(command.upgrade, engine, revision)
    return newest_revision() if revision == "head" else revision


def downgrade(engine: Engine, revision: str) -> None:
    """Take the ledger back to an older migration, for an older version of Ciclo."""
    _run(command.downgrade, engine, revision)


def _run(change: Callable[[Config, str], None], engine: Engine, revision: str) -> None:
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        change(config, revision)
