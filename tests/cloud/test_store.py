"""The store, the vault, the TLS files and the sessions, each alone."""

from __future__ import annotations

import _sqlite3
import ctypes
import gc
import sqlite3
import ssl
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from nitro_workflow.cloud.local.http.tls_identity import ensure_tls
from nitro_workflow.cloud.local.store.database import Store
from nitro_workflow.cloud.local.store.vault import Vault
from nitro_workflow.errors import CloudUnavailable

TABLE = "CREATE TABLE IF NOT EXISTS t (a TEXT UNIQUE)"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "state.sqlite3")
    made.create(TABLE)
    yield made
    made.close()


def count(store: Store) -> int:
    return store.read().execute("SELECT count(*) FROM t").fetchone()[0]


def test_a_failed_transaction_was_never_there(store: Store) -> None:
    def fail() -> None:
        with store.transaction() as db:
            db.execute("INSERT INTO t VALUES ('a')")
            assert count(store) == 0  # a reader sees committed states only
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert count(store) == 0
    with store.transaction() as db:
        db.execute("INSERT INTO t VALUES ('a')")
    assert count(store) == 1


def test_writers_wait_for_each_other(store: Store) -> None:
    def write(number: int) -> None:
        for step in range(20):
            with store.transaction() as db:
                db.execute("INSERT INTO t VALUES (?)", (f"{number}-{step}",))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(store) == 160


def test_readers_can_not_write(store: Store) -> None:
    with pytest.raises(sqlite3.OperationalError):
        store.read().execute("INSERT INTO t VALUES ('a')")


def test_state_is_private_and_survives(tmp_path: Path, store: Store) -> None:
    with store.transaction() as db:
        db.execute("INSERT INTO t VALUES ('kept')")
    assert stat.S_IMODE((tmp_path / "state.sqlite3").stat().st_mode) == 0o600
    assert store.read().execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert store.read().execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    again = Store(tmp_path / "state.sqlite3")
    assert count(again) == 1
    again.close()


def test_a_full_disk_keeps_nothing_half(store: Store) -> None:
    store.create("PRAGMA max_page_count = 20")
    rows = [(f"{number}" + "x" * 4000,) for number in range(100)]
    with pytest.raises(sqlite3.OperationalError, match="full"), store.transaction() as db:
        db.executemany("INSERT INTO t VALUES (?)", rows)
    assert count(store) == 0
    with store.transaction() as db:
        db.execute("INSERT INTO t VALUES ('small')")
    assert count(store) == 1


def test_the_vault_opens_what_it_sealed(tmp_path: Path) -> None:
    path = tmp_path / "wrapping.key"
    vault = Vault.at(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    sealed = vault.seal(b"secret", "iam/a")
    assert b"secret" not in sealed
    assert Vault.at(path).open(sealed, "iam/a") == b"secret"
    assert vault.seal(b"secret", "iam/a") != sealed
    for changed, purpose in ((sealed, "iam/b"), (sealed[:-1], "iam/a"), (b"", "iam/a")):
        with pytest.raises(CloudUnavailable, match="does not open"):
            vault.open(changed, purpose)
    for index in range(len(sealed)):
        flipped = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        with pytest.raises(CloudUnavailable):
            vault.open(flipped, "iam/a")


def test_a_damaged_key_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "wrapping.key"
    path.write_bytes(b"short")
    with pytest.raises(CloudUnavailable, match="5 bytes"):
        Vault.at(path)
    assert path.read_bytes() == b"short"


def test_tls_files_are_made_once(tmp_path: Path) -> None:
    first = ensure_tls(tmp_path, "us-east-1", datetime.now(UTC))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert ensure_tls(tmp_path, "us-east-1") == first
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600
    server = x509.load_pem_x509_certificate(first.certificate.read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)
    assert "*.us-east-1.nitro-lab.internal" in dns
    assert "kms.us-east-1.amazonaws.com" in dns  # of AWS's names, this one alone
    assert [name for name in dns if "amazonaws" in name] == ["kms.us-east-1.amazonaws.com"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    # The CA's private key is nowhere: one key file, and it is the server's.
    keys = [path for path in tmp_path.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert keys == [first.key]
    context = ssl.create_default_context(cafile=str(first.ca))
    assert context.cert_store_stats()["x509_ca"] == 1


def _sqlite_bytes() -> int:
    """Return how many bytes SQLite holds in this process."""
    gc.collect()  # the connections of other tests
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    if not hasattr(library, "sqlite3_memory_used"):
        pytest.skip("this Python's SQLite shows no counters")
    library.sqlite3_memory_used.restype = ctypes.c_int64
    return int(library.sqlite3_memory_used())


def test_the_pages_of_a_large_write_are_given_back(store: Store) -> None:
    before = _sqlite_bytes()
    with store.transaction() as db:
        db.executemany("INSERT INTO t VALUES (?)", ((f"{n:02000}",) for n in range(1000)))
    assert _sqlite_bytes() - before > 1_000_000
    store.give_memory_back()
    assert _sqlite_bytes() - before < 300_000
    assert count(store) == 1000


def test_memory_is_given_back_between_writes_only(store: Store) -> None:
    """In the middle of one it would wait, not see half of it."""
    with store.transaction() as db:
        db.execute("INSERT INTO t VALUES ('a')")
        giving = threading.Thread(target=store.give_memory_back)
        giving.start()
        giving.join(0.2)
        assert giving.is_alive()
    giving.join(60)
    assert count(store) == 1
