"""AWS's nitro-cli by subprocess: whatever it says or does, one `HostError` with a cause."""

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro_workflow.errors import HostError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.host.nitro_cli import NitroCliCall, NitroCliHost, parse_failure
from nitro_workflow.host.nitro_cli import nitro_cli_call as module

CASCADE = """Start allocating memory...
[ E36 ] Enclave boot failure. Such error appears when attempting to receive the `ready` signal.

For more details, please visit https://docs.aws.amazon.com/enclaves/latest/user/cli-errors.html#E36

If you open a support ticket, please provide the error log found at "/var/log/nitro_enclaves/err.log"
[ E39 ] Enclave process connection failure.
[ E11 ] Socket error.
"""


@pytest.fixture
def program(tmp_path):
    """Makes a program of a Python text."""

    def make(text):
        path = tmp_path / "nitro-cli"
        path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{text}\n")
        path.chmod(0o755)
        return path

    return make


def code_of(call, *arguments, **named):
    with pytest.raises(HostError) as caught:
        call(*arguments, **named)
    return caught.value.code


def test_a_cascade_has_one_cause():
    error = parse_failure(CASCADE, 39)
    assert error.code == "E36"
    assert error.found.startswith("Enclave boot failure. Such error")
    assert "For more details" not in error.found
    assert "E36" in error.next


def test_a_cause_of_several_lines():
    text = "[ E19 ] File operation failure.\nFile: '/dev/nitro_enclaves', failing operation: 'Open'.\n\nFor"
    expected = "File operation failure. File: '/dev/nitro_enclaves', failing operation: 'Open'."
    assert parse_failure(text).found == expected


def test_no_code_at_all():
    error = parse_failure("thread 'main' panicked at src/main.rs", 101)
    assert error.code == "E00"
    assert "panicked" in error.found
    assert parse_failure("", 22).code == "E22"
    assert "nothing" in parse_failure("", 1).found


@given(st.text(max_size=500), st.integers(-64, 255))
def test_any_text_is_an_error(text, status):
    assert isinstance(parse_failure(text, status), HostError)


@pytest.mark.parametrize(
    "text", ["", "no json", "[1]", "{", "[" * 100_000, '{"a": 1} trailing', "null", "\\xff"]
)
def test_answers_that_are_no_list_of_objects(program, text):
    call = NitroCliCall(program(f"print({text!r})"))
    assert code_of(call.json, "describe-enclaves", timeout=60, kind=list) == "E17"


def test_more_than_is_read(program, monkeypatch):
    monkeypatch.setattr(module, "OUTPUT_LIMIT", 1000)
    call = NitroCliCall(program("print('[' + ' ' * 5000 + ']')"))
    assert code_of(call.json, "describe-enclaves", timeout=60, kind=list) == "E17"


def test_it_does_not_end(program):
    call = NitroCliCall(program("time.sleep(600)"))
    assert code_of(call.json, "describe-enclaves", timeout=0.5) == "E10"


def test_it_is_not_there(tmp_path):
    host = NitroCliHost(tmp_path, program=tmp_path / "absent")
    assert code_of(host.describe_enclaves) == "E05"


def test_nothing_of_the_caller_reaches_it(program, monkeypatch):
    monkeypatch.setenv("BACKTRACE", "1")
    monkeypatch.setenv("LD_PRELOAD", "")
    call = NitroCliCall(program("import json; print(json.dumps(dict(os.environ)))"))
    seen = call.json("describe-enclaves", timeout=60)
    assert {"BACKTRACE", "LD_PRELOAD"}.isdisjoint(seen)
    assert os.environ["BACKTRACE"] == "1"


def test_a_name_is_never_an_option(program, tmp_path):
    text = "import json; print('[]' if sys.argv[1] == 'describe-enclaves' else json.dumps({'EnclaveID': 'x', 'w': sys.argv[1:]}))"
    host = NitroCliHost(tmp_path, program=program(text))
    request = LaunchRequest("-x.eif", 64, 2, enclave_name="--debug-mode")
    words = host.run_enclave(request)["w"]
    assert "--debug-mode" not in words
    assert "--enclave-name=--debug-mode" in words
    assert words[2].startswith("/")
    assert host.terminate_enclave(enclave_name="--all")["w"][1:] == ["--enclave-name=--all"]
    assert code_of(host.terminate_enclave) == "E01"


def test_a_console_that_is_refused(program, tmp_path):
    text = "print('[ E44 ] Enclave console connection failure.', file=sys.stderr); sys.exit(44)"
    host = NitroCliHost(tmp_path, program=program(text))
    assert code_of(host.console, "i-0-enc1") == "E44"


def test_a_machine_without_an_id(tmp_path):
    (tmp_path / "tag").write_text("Not Specified\n")
    host = NitroCliHost(tmp_path, asset_tag=tmp_path / "tag")
    assert host.describe_instance("i-0000000000000000")["InstanceId"] == "i-0000000000000000"
    assert code_of(host.describe_instance, "i-0123456789abcdef0") == "E39"
