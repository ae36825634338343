"""The AWS Nitro Enclaves workflow, every step of it for real; and its parts as a library.

The package has four floors; imports go down only::

    faces      widgets  cli  lessons
    workflow   lab
    services   host  cloud  enclave  vsock
    formats    attestation  image  policy  nsm  cms  encoding        errors

The names that one wants first are here; each room has more. They are imported when they are used:
``import nitro_workflow`` itself costs next to nothing.

A document: read it, believe it (`Verifier.aws` for AWS's root), or see every check.

>>> from datetime import UTC, datetime
>>> from nitro_workflow import Verifier, parse_document
>>> from nitro_workflow.attestation import Expected, HypervisorPki, exactly
>>> now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
>>> pki = HypervisorPki.create(now)
>>> pcr0 = bytes([1]) * 48
>>> document = pki.instance("i-0123456789abcdef0", now).issue(
...     module_id="i-0123456789abcdef0-enc0123456789abcdef", pcrs={0: pcr0}, now=now
... )
>>> parse_document(document).pcrs[0] == pcr0
True
>>> mine = Expected(pcrs=exactly({0: pcr0}, "release 1"))
>>> Verifier.local(pki.root_der).verify(document, at=now, expected=mine).matched
'release 1'
>>> Verifier.aws().explain(document, at=now).failed
('root',)

An image: build it from a folder, open it, measure it.

>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> from nitro_workflow import build_image, measure, open_image
>>> from nitro_workflow.image import BootParts
>>> with TemporaryDirectory() as folder:
...     rootfs, eif = Path(folder, "rootfs"), Path(folder, "app.eif")
...     rootfs.mkdir()
...     _ = Path(rootfs, "hello").write_text("hello")
...     built = build_image(
...         rootfs=rootfs, command=["/hello"], environment={}, output=eif, name="app", version="1",
...         boot=BootParts.stand_in("x86_64"), build_time=now,
...     )
...     with open_image(eif) as image:
...         len(image.sections)
...     measure(eif).pcr0 == built.measurements.pcr0
5
True

A key policy: why is this request denied, and who can ever get the plaintext?

>>> from nitro_workflow import Policies, Principal, Request, analyse, explain, parse_policy
>>> policy = parse_policy({"Version": "2012-10-17", "Statement": {
...     "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
...     "Principal": {"AWS": "arn:aws:iam::111122223333:role/Parent"},
...     "Condition": {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": pcr0.hex()}},
... }})
>>> caller = Principal.parse("arn:aws:sts::111122223333:assumed-role/Parent/i-0abc")
>>> key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
>>> explain(Request(caller, "kms:Decrypt", key), Policies(policy)).cause.code
'no_document'
>>> len(analyse(policy).ways)
1

The envelope in which KMS hands a data key to an enclave: open it.

>>> from cryptography.hazmat.primitives import serialization
>>> from cryptography.hazmat.primitives.asymmetric import rsa
>>> from nitro_workflow import open_envelope
>>> from nitro_workflow.cms import seal_envelope
>>> private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
>>> spki = private.public_key().public_bytes(
...     serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
... )
>>> open_envelope(seal_envelope(b"a data key", spki), private)
b'a data key'

In an enclave: a boto3 client whose Decrypt is attested, under whatever uses it.

>>> import botocore.session
>>> from nitro_workflow import attested
>>> from nitro_workflow.enclave import NsmAttester
>>> class Nsm:  # in an enclave: nsm = open_nsm()
...     def attest(self, *, public_key=None, user_data=None, nonce=None):
...         return b"an attestation document"
>>> kms = botocore.session.Session().create_client("kms", region_name="us-east-1")
>>> attested(kms, NsmAttester.one_key_pair_per_run(Nsm())) is kms
True

The whole workflow: a lab is a folder with the state of its 17 steps.

>>> from nitro_workflow import Lab
>>> from nitro_workflow.lab import STEPS
>>> with TemporaryDirectory() as folder:
...     lab = Lab.open(Path(folder))  # `lab.run("P1")` makes the key, `lab.walk()` does all
...     [step.number for step in STEPS if lab.current(step)]
[]

Whatever you have, in whatever encoding: see what it is.

>>> from nitro_workflow import inspect
>>> inspect(document.hex()).model.head.what
'Attestation document · ... bytes · read as hex'

Whatever goes wrong is a `NitroWorkflowError`: found, expected, where, next.

>>> from nitro_workflow import NitroWorkflowError
>>> try:
...     parse_document(b"no document")
... except NitroWorkflowError as error:
...     error.exit_code
3
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nitro_workflow.lazy import lazy_names
from nitro_workflow.version import __version__

if TYPE_CHECKING:
    from nitro_workflow.attestation import Verifier, parse_document
    from nitro_workflow.cms import open_envelope
    from nitro_workflow.enclave import attested
    from nitro_workflow.errors import NitroWorkflowError
    from nitro_workflow.image import build_image, open_image
    from nitro_workflow.image import measure_file as measure
    from nitro_workflow.lab import Lab
    from nitro_workflow.policy import (
        Policies,
        Principal,
        Request,
        analyse,
        explain,
        parse_policy,
    )
    from nitro_workflow.widgets import inspect

_HOMES = {
    "Lab": "lab",
    "NitroWorkflowError": "errors",
    "Policies": "policy",
    "Principal": "policy",
    "Request": "policy",
    "Verifier": "attestation",
    "analyse": "policy",
    "attested": "enclave",
    "build_image": "image",
    "explain": "policy",
    "inspect": "widgets",
    "measure_file": "image",
    "open_envelope": "cms",
    "open_image": "image",
    "parse_document": "attestation",
    "parse_policy": "policy",
}

__all__ = [
    "Lab",
    "NitroWorkflowError",
    "Policies",
    "Principal",
    "Request",
    "Verifier",
    "__version__",
    "analyse",
    "attested",
    "build_image",
    "explain",
    "inspect",
    "measure",
    "open_envelope",
    "open_image",
    "parse_document",
    "parse_policy",
]

_find = lazy_names(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    return _find("measure_file" if name == "measure" else name)
