"""The arithmetic of the PCRs, written out again here, and the streaming meter against it."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.errors import ImageError
from nitro_workflow.image import (
    Measurements,
    measure_fd,
    measure_file,
    measure_parts,
)
from nitro_workflow.image.build.image_writer import bytes_part, write_image
from nitro_workflow.image.format.eif import SectionKind
from nitro_workflow.image.inspect import crew, measure
from nitro_workflow.image.inspect.crew import INLINE, Crew
from nitro_workflow.image.inspect.measure import crc_of_header_and_body, pcr_of
from tests.image.conftest import UNHURRIED, parts_of

# facts: PCR2 of an image with the bootstrap ramdisk only
NO_APPLICATION = "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"


def by_hand(sections: list[tuple[SectionKind, bytes]]) -> tuple[bytes, bytes, bytes]:
    contents: list[list[bytes]] = [[], [], []]
    ramdisks = 0
    for kind, data in sections:
        if kind in (SectionKind.KERNEL, SectionKind.CMDLINE):
            contents[0].append(data)
            contents[1].append(data)
        if kind is SectionKind.RAMDISK:
            contents[0].append(data)
            contents[1 if ramdisks == 0 else 2].append(data)
            ramdisks += 1
    return tuple(
        hashlib.sha384(bytes(48) + hashlib.sha384(b"".join(content)).digest()).digest()
        for content in contents
    )


def test_the_constant_of_no_application():
    assert measure_parts(b"k", b"c", [b"r"]).hex()["PCR2"] == NO_APPLICATION
    assert pcr_of(b"").hex() == NO_APPLICATION


def test_a_small_image(small):
    path = small()
    data = path.read_bytes()
    measured = measure_file(path)
    assert (measured.pcr0, measured.pcr1, measured.pcr2) == by_hand(
        [(SectionKind.KERNEL, b"kernel"), (SectionKind.CMDLINE, b"quiet"),
         (SectionKind.RAMDISK, b"first"), (SectionKind.RAMDISK, b"second")]
    )  # fmt: skip
    assert measured.crc32 == zlib.crc32(data[548:], zlib.crc32(data[:544]))
    assert measured.crc32 == int.from_bytes(data[544:548], "big")
    assert measured.pcr8 is None
    assert measured.registers[8] == bytes(48)
    assert list(measured.to_json()) == ["HashAlgorithm", "PCR0", "PCR1", "PCR2"]
    fd = os.open(path, os.O_RDONLY)
    assert measure_fd(fd) == measured
    os.close(fd)


kinds = st.sampled_from(
    [SectionKind.KERNEL, SectionKind.CMDLINE, SectionKind.RAMDISK, SectionKind.METADATA]
)
sizes = st.integers(0, 50) | st.integers(0, 3_000_000)


@given(
    st.lists(st.tuples(kinds, st.integers(0, 255), sizes), min_size=2, max_size=8),
    st.sampled_from([1, 2, 3, 64]),
    st.sampled_from([100_000, measure.CHUNK]),
)
@settings(UNHURRIED, max_examples=40)
def test_any_order_of_sections_measures_as_by_hand(tmp_path_factory, drawn, processors, chunk):
    sections = [(kind, bytes([fill]) * size) for kind, fill, size in drawn]
    path = tmp_path_factory.mktemp("m") / "x.eif"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(crew, "processors", lambda: processors)
        patched.setattr(measure, "CHUNK", chunk)
        built = write_image(
            [bytes_part(kind, data) for kind, data in sections], output=path, architecture="x86_64"
        )
        measured = measure_file(path)
    assert (measured.pcr0, measured.pcr1, measured.pcr2) == by_hand(sections)
    assert built.measurements == measured
    data = path.read_bytes()
    assert measured.crc32 == zlib.crc32(data[548:], zlib.crc32(data[:544]))


@pytest.mark.parametrize("processors", [2, 4])
@pytest.mark.parametrize("slow", ["both", "customer", "app"])
def test_a_slow_hash_reads_what_was_in_the_file(tmp_path, monkeypatch, slow, processors):
    """However late a line is, no buffer is filled again before it was hashed."""
    monkeypatch.setattr(crew, "processors", lambda: processors)
    monkeypatch.setattr(measure, "CHUNK", 256 * 1024)
    sections = [
        (kind, bytes([fill]) * 3_000_000)
        for fill, kind in enumerate(
            [SectionKind.KERNEL, SectionKind.METADATA, SectionKind.RAMDISK, SectionKind.RAMDISK,
             SectionKind.METADATA, SectionKind.CMDLINE, SectionKind.METADATA]
        )
    ]  # fmt: skip
    path = tmp_path / "x.eif"
    write_image(
        [bytes_part(kind, data) for kind, data in sections], output=path, architecture="x86_64"
    )

    class SlowHashes(measure._BootHashes):
        def both(self, data):
            time.sleep(0.01 if slow == "both" else 0)
            super().both(data)

        def customer(self, data):
            time.sleep(0.01 if slow == "customer" else 0)
            super().customer(data)

    class SlowSha:
        def __init__(self):
            self._sha = hashlib.sha384()
            self.digest = self._sha.digest

        def update(self, data):
            time.sleep(0.01 if slow == "app" else 0)
            self._sha.update(data)

    monkeypatch.setattr(measure, "_BootHashes", SlowHashes)
    monkeypatch.setattr(measure.Meter, "__init__", _with_app(SlowSha))
    measured = measure_file(path)
    assert (measured.pcr0, measured.pcr1, measured.pcr2) == by_hand(sections)


def _with_app(sha):
    original = measure.Meter.__init__

    def start(self, crc=0):
        original(self, crc)
        self._app = sha()

    return start


@given(st.binary(max_size=600), st.binary(max_size=5000))
@UNHURRIED
def test_crcs_combine(head, body):
    assert crc_of_header_and_body(head, zlib.crc32(body), len(body)) == zlib.crc32(head + body)


def test_parts_measure_as_the_file(small):
    measured = measure_file(small())
    parts = measure_parts(b"kernel", b"quiet", [b"first", b"second"])
    assert parts.hex() == measured.hex()


def test_progress_ends_at_the_size(small):
    seen: list[tuple[int, int]] = []
    path = small()
    measure_file(path, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (path.stat().st_size,) * 2


def test_a_file_that_shrinks_meanwhile_is_refused(tmp_path):
    path = tmp_path / "x.eif"
    write_image(parts_of(ramdisks=(bytes(3_000_000),)), output=path, architecture="x86_64")
    with pytest.raises(ImageError, match="ended while it was being read"):
        measure_file(path, lambda done, total: os.truncate(path, 2_000_000))


@pytest.fixture(params=[1, 2, 3, 9])
def processors(request, monkeypatch):
    monkeypatch.setattr(crew, "processors", lambda: request.param)
    return request.param


def crew_threads() -> int:
    return sum(thread.name == "image-crew" for thread in threading.enumerate())


def test_a_crew_keeps_order_and_depth(processors):
    crew, seen = Crew(3, 4), ([], [], [])

    def sink(line: int):
        def call(data: bytes) -> None:
            time.sleep(0.001 * ((len(seen[line]) + line) % 3))
            seen[line].append(data[0])

        return call

    for number in range(60):
        sinks = [sink(line) if number % (line + 2) else None for line in range(3)]
        crew.put(sinks, bytes([number]) * INLINE)
        for line in range(3):
            due = [n for n in range(number - 3) if n % (line + 2)]
            assert seen[line][: len(due)] == due
    assert crew_threads() == min(processors - 1, 3)
    crew.drain()
    assert seen == tuple([n for n in range(60) if n % (line + 2)] for line in range(3))
    crew.close()
    assert crew_threads() == 0


def test_a_crew_hands_on_the_error_of_a_sink(processors):
    crew, later = Crew(2, 4), []

    def broken(data: bytes) -> None:
        raise MemoryError

    def put_and_wait() -> None:
        crew.put((broken, None), bytes(INLINE))
        crew.drain()

    with pytest.raises(MemoryError):
        put_and_wait()
    crew.put((later.append, None), b"")
    crew.drain()
    assert later == [b""]
    crew.close()
    crew.close()


def test_small_pieces_start_no_thread():
    crew, seen = Crew(2, 4), []
    crew.put((seen.append, None), bytes(INLINE - 1))
    assert len(seen) == 1
    assert crew_threads() == 0


def test_a_refused_image_leaves_no_thread(tmp_path, processors):
    path = tmp_path / "x.eif"
    write_image(parts_of(ramdisks=(bytes(3_000_000),)), output=path, architecture="x86_64")
    with pytest.raises(ImageError):
        measure_file(path, lambda done, total: os.truncate(path, 2_000_000))
    assert crew_threads() == 0


def test_measurements_are_values():
    assert Measurements(b"", b"", b"", None, 0) == Measurements(b"", b"", b"", None, 0)
