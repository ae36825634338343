"""A session of AWS goes to AWS and believes AWS's roots, whatever the machine is told."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import x509

from nitro_workflow.attestation import AWS_ROOT_FINGERPRINT, HypervisorPki
from nitro_workflow.cloud import AwsCloud, AwsSettings, Trust
from nitro_workflow.cloud.aws.amazon_reach import AmazonReach
from nitro_workflow.cloud.aws.amazon_trust import AMAZON_ROOTS, amazon_roots_file, check_roots
from nitro_workflow.errors import CertificateError, UntrustedAnswer, UsageError, VerificationError

SETTINGS = AwsSettings("eu-central-1", data_account="111122223333", compute_account="444455556666")
SERVICES = (
    *("kms", "s3", "iam", "sts", "ec2", "ssm", "cloudtrail"),
    *("service-quotas", "resourcegroupstaggingapi"),
)
ELSEWHERE = "https://127.0.0.1:9"

# https://www.amazontrust.com/repository/, "SHA-256 Hash of Subject Public Key Information"
PUBLISHED = {
    "Amazon Root CA 1": "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
    "Amazon Root CA 2": "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
    "Amazon Root CA 3": "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
    "Amazon Root CA 4": "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
    "Starfield Services Root Certificate Authority - G2": (
        "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92"
    ),
}

VARIABLES = {
    "AWS_ENDPOINT_URL": ELSEWHERE,
    **{f"AWS_ENDPOINT_URL_{name.replace('-', '_').upper()}": ELSEWHERE for name in SERVICES},
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
    "AWS_CA_BUNDLE": "/nonexistent.pem",
    "SSL_CERT_FILE": "/nonexistent.pem",
    "SSL_CERT_DIR": "/nonexistent",
    "REQUESTS_CA_BUNDLE": "/nonexistent.pem",
    "CURL_CA_BUNDLE": "/nonexistent.pem",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_REGION": "us-west-2",
    "AWS_DEFAULT_REGION": "us-west-2",
    "AWS_DATA_PATH": "",  # a folder with endpoint rules: see `foreign_rules`
    "AWS_STS_REGIONAL_ENDPOINTS": "legacy",
    "NITRO_WORKFLOW_ENDPOINT": ELSEWHERE,
}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA" + "A" * 16, "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home of its own, with credentials and nothing else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def where_it_goes(cloud: AwsCloud, service: str, **given: object) -> str:
    client = cloud.operator(cloud.accounts.compute).client(service, **given)
    assert client._endpoint.http_session._verify == str(amazon_roots_file())
    return str(client.meta.endpoint_url)


def foreign_rules(folder: Path) -> None:
    """Write botocore data that sends KMS of eu-central-1 elsewhere."""
    rules = {
        "version": "1.0",
        "parameters": {"Region": {"type": "String", "builtIn": "AWS::Region"}},
        "rules": [{"conditions": [], "endpoint": {"url": ELSEWHERE}, "type": "endpoint"}],
    }
    place = folder / "kms" / "2014-11-01"
    place.mkdir(parents=True)
    (place / "endpoint-rule-set-1.json").write_text(json.dumps(rules))
    (folder / "endpoints.json").write_text(json.dumps({"partitions": []}))


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("name", VARIABLES)
def test_no_variable_sends_a_client_elsewhere(
    machine: Path, monkeypatch: pytest.MonkeyPatch, name: str, service: str
) -> None:
    if name == "AWS_DATA_PATH":
        foreign_rules(machine / "data")
    monkeypatch.setenv(name, VARIABLES[name] or str(machine / "data"))
    cloud = AwsCloud(SETTINGS, "00")
    at = where_it_goes(cloud, service)
    AmazonReach().check(at)
    assert "fips" not in at
    assert "eu-central-1" in at or service == "iam"


def test_no_rules_in_the_home_send_a_client_elsewhere(machine: Path) -> None:
    foreign_rules(machine / ".aws" / "models")
    assert where_it_goes(AwsCloud(SETTINGS, "00"), "kms").startswith("https://kms.eu-central-1.ama")


@pytest.mark.parametrize("profile", ["", "production"])
def test_no_profile_sends_a_client_elsewhere(
    machine: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    (machine / ".aws").mkdir()
    (machine / ".aws" / "config").write_text(
        f"[{'profile ' + profile if profile else 'default'}]\nregion = us-west-2\n"
        f"endpoint_url = {ELSEWHERE}\nservices = lab\nca_bundle = /nonexistent.pem\n"
        "ignore_configured_endpoint_urls = false\nuse_fips_endpoint = true\n"
        f"aws_access_key_id = {KEYS['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = s\n"
        f"[services lab]\nkms =\n  endpoint_url = {ELSEWHERE}\n"
    )
    for name in KEYS:
        monkeypatch.delenv(name)
    settings = AwsSettings(**{**SETTINGS.to_json(), "compute_profile": profile})
    at = where_it_goes(AwsCloud(settings, "00"), "kms")
    assert at == "https://kms.eu-central-1.amazonaws.com"


def test_no_argument_of_a_client_sends_it_elsewhere(machine: Path) -> None:
    from botocore.config import Config

    at = where_it_goes(
        AwsCloud(SETTINGS, "00"),
        "kms",
        endpoint_url=ELSEWHERE,
        verify=False,
        use_ssl=False,
        region_name="us-west-2",
        config=Config(use_fips_endpoint=True, region_name="us-west-2"),
    )
    assert at.endswith(".amazonaws.com")


def test_a_partys_session_asks_the_machine_for_nothing(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value or str(machine))
    keys = {"access_key_id": "ASIA" + "A" * 16, "secret_access_key": "s", "session_token": "t"}
    session = AwsCloud(SETTINGS, "00").session_with(keys, party="instance")
    assert session.client("kms").meta.endpoint_url == "https://kms.eu-central-1.amazonaws.com"
    assert session.get_credentials().access_key == keys["access_key_id"]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:4443/",
        "https://kms.us-east-1.nitro-lab.internal/",
        "http://kms.us-east-1.amazonaws.com/",
        "https://kms.us-east-1.amazonaws.com:8443/",
        "https://kms.us-east-1.amazonaws.com.example.org/",
        "https://amazonaws.com.evil/",
        "https://kms.us-east-1.amazonaws.com@127.0.0.1/",
        "https://evilamazonaws.com/",
        "https://kms.cn-north-1.amazonaws.com.cn/",
        "",
    ],
)
def test_a_request_to_another_place_is_not_sent(url: str) -> None:
    with pytest.raises(UntrustedAnswer):
        AmazonReach().check(url)


def test_a_request_is_looked_at_as_it_leaves(machine: Path) -> None:
    """A handler of somebody else's (a plugin) changes the URL after the client was made."""
    client = AwsCloud(SETTINGS, "00").operator("111122223333").client("sts")

    def elsewhere(request: object, **_: object) -> None:
        request.url = f"{ELSEWHERE}/"  # type: ignore[attr-defined]

    client.meta.events.register("before-sign.sts.*", elsewhere)
    with pytest.raises(UntrustedAnswer, match="a request to https://127"):
        client.get_caller_identity()


def test_the_lab_cannot_be_had_under_the_name_of_aws() -> None:
    """Nothing that a person or a test may pass changes endpoint, CA or root."""
    names = set(inspect.signature(AwsCloud.__init__).parameters)
    assert names == {"self", "settings", "identity", "say"}
    assert {"endpoint", "endpoint_url", "ca", "root", "trust"}.isdisjoint(SETTINGS.to_json())
    assert list(inspect.signature(Trust.aws).parameters) == []
    assert Trust.aws().root_sha256 == AWS_ROOT_FINGERPRINT
    assert AwsCloud(SETTINGS, "00").trust() == Trust.aws()
    assert AwsCloud(SETTINGS, "00").kms_host == "kms.eu-central-1.amazonaws.com"


def test_no_module_of_the_product_gives_aws_another_reach() -> None:
    """`_reach` is set where `AwsCloud` is defined; the tests' stand-in is a class of the tests."""
    package = Path(__file__).parents[2] / "nitro_workflow"
    named = {
        path.name
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if (isinstance(node, ast.Attribute | ast.Name))
        and getattr(node, "attr", getattr(node, "id", "")) == "_reach"
    }
    assert named == {"aws_cloud.py"}


def test_a_document_of_a_lab_is_refused_under_awss_root() -> None:
    now = datetime.now(UTC)
    pki = HypervisorPki.create(now)
    issuer = pki.instance("i-0123456789abcdef0", now)
    module = "i-0123456789abcdef0-enc0123456789abcdef"
    document = issuer.issue(module_id=module, pcrs={0: b"\1" * 48}, nonce=b"n", now=now)
    assert Trust(pki.root_der, "").verifier().explain(document, at=now).verdict == "valid"
    with pytest.raises(VerificationError):
        Trust.aws().verifier().verify(document, at=now)


def test_the_roots_are_those_that_amazon_publishes() -> None:
    text = amazon_roots_file().read_text()
    assert Trust.aws().ca_pem == text
    found = {}
    for block in text.split("-----END CERTIFICATE-----\n")[:-1]:
        der = ssl.PEM_cert_to_DER_cert(block + "-----END CERTIFICATE-----\n")
        certificate = x509.Certificate.load(der)
        name = certificate.subject.native["common_name"]
        found[name] = hashlib.sha256(certificate.public_key.dump()).hexdigest()
        assert hashlib.sha256(der).hexdigest() == AMAZON_ROOTS[name]
    assert found == PUBLISHED


def test_a_tls_library_takes_exactly_these_five() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=str(amazon_roots_file()))
    assert context.cert_store_stats()["x509_ca"] == 5


@pytest.mark.parametrize("change", ["missing", "more", "another", "text", "empty"])
def test_a_changed_file_of_roots_is_refused(change: str) -> None:
    text = amazon_roots_file().read_text()
    first = text[: text.index("-----END") + 26]
    changed = {
        "missing": text.removeprefix(first),
        "more": text + first,
        "another": text.replace("MIID", "MIIE", 1),
        "text": text + "# a CA of the company's proxy\n",
        "empty": "",
    }[change]
    with pytest.raises(CertificateError):
        check_roots(changed)


def test_another_partition_is_no_region_of_the_lab() -> None:
    for name in ("cn-north-1", "us-gov-west-1", "lab", "us-east-1.nitro-lab", "", "us-east-1\n"):
        with pytest.raises(UsageError):
            AwsSettings(name)


def test_a_profile_that_is_not_there_says_so(machine: Path) -> None:
    settings = AwsSettings(**{**SETTINGS.to_json(), "data_profile": "nobody"})
    with pytest.raises(UsageError, match="nobody"):
        AwsCloud(settings, "00").operator("111122223333")
