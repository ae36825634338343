"""nitro-cli's rules: numbers, texts, codes."""

import pytest

from nitro_workflow.errors import HostError
from nitro_workflow.host.rules import ecodes, launch_rules

MIB = 1 << 20


def code(call, *arguments, **named):
    with pytest.raises(HostError) as caught:
        call(*arguments, **named)
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "mib"), [("512", 512), ("512M", 512), ("2G", 2048), ("1t", 1 << 20), ("64m", 64)]
)
def test_memory_with_units(text, mib):
    assert launch_rules.parse_memory(text) == mib


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5G", "1K", "9" * 12, "٣"])
def test_memory_that_is_none(text):
    assert code(launch_rules.parse_memory, text) == "E47"


def test_four_times_the_image():
    with pytest.raises(HostError) as caught:
        launch_rules.check_memory(80 * MIB + 1, 320, 4096)
    assert caught.value.code == "E26"
    assert caught.value.found == (
        "Insufficient memory requested. User provided `memory` is 320 MB, but based on the EIF "
        "file size, the minimum memory should be 324 MB"
    )
    assert launch_rules.check_memory(80 * MIB, 320, 320) == 320
    assert launch_rules.check_memory(1, 65, 4096) == 66  # regions of 2 MiB
    assert code(launch_rules.check_memory, 1, 63, 4096) == "E26"
    assert code(launch_rules.check_memory, 1, 4097, 4096) == "E27"
    assert launch_rules.machine_memory_mib() > 64


def test_cids():
    assert launch_rules.choose_cid(None, ()) == 16
    assert launch_rules.choose_cid(0, {16, 17}) == 18
    assert launch_rules.choose_cid(4, ()) == 4
    assert launch_rules.choose_cid(0xFFFFFFFE, ()) == 0xFFFFFFFE
    for wrong in (1, 2, 3, 0xFFFFFFFF, 1 << 32, -5):
        assert code(launch_rules.choose_cid, wrong, ()) == "E03"
    assert code(launch_rules.choose_cid, 16, {16}) == "E29"


def test_cpus():
    assert launch_rules.cpu_pool(2) == tuple(range(1, 17))
    pool = (1, 2, 3, 4)
    assert launch_rules.choose_cpus(pool, {1}, 2) == (2, 3)
    assert launch_rules.choose_cpus(pool, {1}, ids=[4, 2]) == (4, 2)
    assert code(launch_rules.choose_cpus, pool, {1}, 4) == "E22"
    assert code(launch_rules.choose_cpus, pool, {1}, ids=[1]) == "E21"
    assert code(launch_rules.choose_cpus, pool, (), ids=[9]) == "E21"
    assert code(launch_rules.choose_cpus, pool, (), ids=[2, 2]) == "E20"
    assert code(launch_rules.choose_cpus, pool, (), -1) == "E03"
    assert code(launch_rules.choose_cpus, pool, ()) == "E03"
    assert code(launch_rules.choose_cpus, pool, (), 0) == "E29"


def test_whole_cores(monkeypatch):
    pool = (1, 2, 3, 4)
    monkeypatch.setattr(launch_rules, "host_architecture", lambda: "x86_64")
    assert code(launch_rules.choose_cpus, pool, (), 1) == "E29"
    assert code(launch_rules.choose_cpus, pool, (), 3) == "E29"
    assert code(launch_rules.choose_cpus, pool, (), ids=[1]) == "E29"
    assert launch_rules.choose_cpus(pool, (), ids=[1, 3]) == (1, 3)
    monkeypatch.setattr(launch_rules, "host_architecture", lambda: "aarch64")
    assert launch_rules.choose_cpus(pool, (), 1) == (1,)  # one thread a core there


def test_names():
    assert launch_rules.choose_name(None, "hello.eif", ()) == "hello"
    assert launch_rules.choose_name(None, "hello.eif", {"hello", "hello_1"}) == "hello_2"
    assert launch_rules.choose_name("mine", "x.eif", {"mine"}) == "mine_1"
    for wrong in ("", "a\nb", "a" * 200):
        assert code(launch_rules.choose_name, wrong, "x.eif", ()) == "E58"


def test_every_code_has_a_meaning_and_a_status():
    assert list(ecodes.MEANINGS) == [f"E{number:02}" for number in range(61)]
    assert ecodes.status_of("E26") == 26
    assert ecodes.status_of("E00") == ecodes.status_of("HostError") == 1
