"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How busy a machine is says nothing of what is tested; and what is tried is the same each time, so
# that CI fails for what was changed. (`fuzz/` tries what nobody has.)
settings.register_profile(
    "unhurried", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")

VECTORS = Path(__file__).parent / "vectors"
REQUIRED = frozenset(filter(None, os.environ.get("NITRO_REQUIRE", "").split(",")))

# What `make quick` leaves out: a second or more each, and seldom what a save breaks.
SLOW = frozenset(
    {
        "tests/attestation/test_issue.py::test_certificates_are_renewed_before_they_end",
        "tests/attestation/test_properties.py::test_damaged_documents_raise_only_our_errors",
        "tests/attestation/test_properties.py::test_good_documents_of_every_form_are_believed",
        "tests/attestation/test_tamper.py::test_every_single_bit_flip_of_a_genuine_document_is_refused",
        "tests/attestation/test_tamper.py::test_bit_flips_of_a_tagged_lab_document_are_refused",
        "tests/attestation/test_tamper.py::test_bit_flips_of_other_genuine_documents_are_refused",
        "tests/cms/test_envelope.py::test_any_change_is_read_alike_or_refused",
        "tests/cms/test_envelope.py::test_flips_outside_iv_and_content_are_all_refused",
        "tests/cms/test_envelope.py::test_larger_keys_work",
        "tests/image/test_cli.py::test_exit_codes_of_the_command",
        "tests/image/test_eif.py::test_headers_round_trip",
        "tests/image/test_lab_kms.py::test_signing_with_the_labs_kms",
        "tests/image/test_layer_order.py::test_no_change_of_a_byte_loses_a_file",
        "tests/image/test_measure.py::test_a_slow_hash_reads_what_was_in_the_file",
        "tests/image/test_oci.py::test_any_layers_make_a_tree_or_an_image_error",
        "tests/image/test_ramdisk.py::test_a_hundred_thousand_files",
        "tests/image/test_signature.py::test_every_byte_of_a_signature_counts",
        "tests/policy/test_policy_analyse.py::test_long_lists_are_no_burden",
        "tests/policy/test_policy_analyse.py::test_the_search_has_an_end",
        "tests/policy/test_policy_repairs.py::test_the_analysis_notices_every_mutation_that_matters",
        "tests/policy/test_policy_soundness.py::test_inside_the_fragment_there_is_always_an_answer",
        "tests/policy/test_policy_soundness.py::test_none_is_never_false",
        "tests/widgets/test_refusals_in_a_notebook.py::test_a_kernel_shows_a_box_and_no_traceback",
        "tests/widgets/test_refusals_in_a_notebook.py::test_an_error_as_a_value_is_a_box_too",
        "tests/widgets/test_views_never_raise.py::test_documents",
        "tests/policy/test_policy_properties.py::test_a_deny_never_allows_more",
        "tests/policy/test_policy_properties.py::test_every_witness_is_decided_as_claimed",
        "tests/policy/test_policy_properties.py::test_limits_never_allow_more",
        "tests/policy/test_policy_properties.py::test_removing_an_allow_never_allows_more",
        "tests/policy/test_policy_properties.py::test_the_order_of_statements_never_matters",
        "tests/policy/test_policy_repairs.py::test_the_fix_mends_and_locks_nobody_out",
        "tests/project/test_command_edge.py::test_what_a_person_can_cause",
        "tests/project/test_dist.py::test_the_source_distribution_builds_and_tests_itself",
        "tests/project/test_dist.py::test_the_notebooks_are_there_as_they_are_committed",
        "tests/project/test_dist.py::test_the_wheel_holds_both_packages_and_the_notebooks",
        "tests/project/test_dist.py::test_the_wheel_says_what_it_is",
        "tests/project/test_pytest_plugin.py::test_a_cloud_and_attested_clients",
        "tests/project/test_pytest_plugin.py::test_a_lab",
        "tests/project/test_pytest_plugin.py::test_documents",
        "tests/project/test_pytest_plugin.py::test_enclaves",
        "tests/vsock/test_proxy.py::test_a_signal_ends_the_process_and_what_it_carries",
    }
)

# What this machine lacks and which tests therefore did not run; printed in one line at the end.
_missing: dict[str, str] = {}


@pytest.fixture
def require() -> Callable[[str, bool, str], None]:
    """Skip where the machine lacks something, or fail where `NITRO_REQUIRE` names it.

    ``require("browser", shutil.which("chromium") is not None, "apt-get install chromium")``
    """

    def check(name: str, present: bool, remedy: str) -> None:
        if present:
            return
        if name in REQUIRED:
            pytest.fail(f"{name} is required (NITRO_REQUIRE) and missing: {remedy}")
        _missing[name] = remedy
        pytest.skip(f"{name} is missing: {remedy}")

    return check


@pytest.fixture(scope="session")
def thorough() -> bool:
    """Tell whether to try everything where a seeded sample is enough on every save.

    `NITRO_THOROUGH=1`, as CI sets it: each bit of each document, each point of each sweep.
    """
    return os.environ.get("NITRO_THOROUGH") == "1"


@pytest.fixture(scope="session")
def vectors() -> Path:
    """Return the folder of real data that other people made."""
    return VECTORS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make quick` leaves out."""
    for item in items:
        if item.nodeid.partition("[")[0] in SLOW:
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what the machine lacks."""
    if _missing:
        lacks = "; ".join(f"{name} ({remedy})" for name, remedy in sorted(_missing.items()))
        terminalreporter.write_line(f"Not run for want of: {lacks}")
