"""Alembic, driven from code: `ciclo db upgrade` needs no ini file and works from an installed package."""

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


def upgrade(engine: Engine) -> str:
    """Bring the ledger to `newest_revision()` and return it. Harmless when it is there already."""
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return newest_revision()
