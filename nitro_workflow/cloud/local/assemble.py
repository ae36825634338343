"""The parts of one cloud, put together from its folder."""

from __future__ import annotations

from datetime import UTC, datetime

from nitro_workflow.cloud.local.call import Settings
from nitro_workflow.cloud.local.catalogue import schemas, who_forget
from nitro_workflow.cloud.local.gate import EventLog, Gate, upgrade
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.s3 import sweep
from nitro_workflow.cloud.local.seed import Keys, seed
from nitro_workflow.cloud.local.store import Store, Vault

__all__ = ["CREDENTIALS", "open_services"]

CREDENTIALS = "credentials.json"  # keys that were drawn at the first start; mode 0600


def open_services(settings: Settings, keys: Keys | None = None) -> Services:
    """Open (or make) the cloud in ``settings.folder``; `keys` seed one that is made.

    Raises `CloudUnavailable`: a wrapping key that is not one.
    """
    folder = settings.folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "objects").mkdir(exist_ok=True)
    vault = Vault.at(folder / "wrapping.key")  # before the database: a damaged key leaves none open
    store = Store(folder / "state.sqlite3")
    upgrade(store)
    store.create(schemas())
    services = Services(settings, store, vault, Gate(store), EventLog(store), who_forget())
    seed(services, given=keys, keep_in=folder / CREDENTIALS)
    sweep(services)
    services.events.forget_old(datetime.now(UTC))
    return services
