"""What the cloud keeps: one SQLite file, and secrets sealed under one key.

>>> from pathlib import Path
>>> from tempfile import mkdtemp
>>> folder = Path(mkdtemp())
>>> store, vault = Store(folder / "state.sqlite3"), Vault.at(folder / "wrapping.key")
>>> store.create("CREATE TABLE IF NOT EXISTS secrets (name TEXT, sealed BLOB)")
>>> with store.transaction() as db:
...     row = ("one", vault.seal(b"key material", "example/one"))
...     _ = db.execute("INSERT INTO secrets VALUES (?, ?)", row)
>>> sealed = store.read().execute("SELECT sealed FROM secrets").fetchone()["sealed"]
>>> vault.open(sealed, "example/one")
b'key material'
>>> store.close()
"""

from __future__ import annotations

from nitro_workflow.cloud.local.store.database import Store
from nitro_workflow.cloud.local.store.vault import Vault

__all__ = ["Store", "Vault"]
