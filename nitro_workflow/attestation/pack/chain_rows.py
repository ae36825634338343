"""Defects of certificates and their chain, and what of it is allowed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from nitro_workflow.attestation.pack.bent_chain import CertificatePlan
from nitro_workflow.attestation.pack.document_forge import DocumentForge
from nitro_workflow.attestation.pack.pack_row import Row, row

__all__ = ["CHAIN_ROWS"]

_AWS = "AWS attestation_process.md"
_VALID = f"{_AWS} §3.2.3.1; RFC 5280 §6.1.3 (a)(2)"
_LINK = f"{_AWS} §3.2.4; RFC 5280 §6.1.3 (a)"
_ROOT = f"{_AWS} §3.2.4; RFC 5280 §6.1.1 (d)"
_PATH = f"{_AWS} §3.2.3.2; RFC 5280 §6.1.4 (l), (m)"
_USAGE = f"{_AWS} §3.2.3.3"
_CA = "RFC 5280 §6.1.4 (k)"
_CRITICAL = "RFC 5280 §4.2, §6.1.4 (o), §6.1.5 (f)"
_ORDER = f"{_AWS} §3.2.3; RFC 5280 §6.1"
_BUILDING = (
    "AWS says how the bundle always is, not that a verifier must check it; how a path is built is "
    "left open by RFC 5280"
)
_SECOND = timedelta(seconds=1)
_BEFORE, _AFTER = timedelta(minutes=-1), timedelta(minutes=30)

Make = Callable[[DocumentForge], bytes]


def _bundle(*positions: int) -> Make:
    return lambda f: f.document(cabundle=[f.chain.ders[place] for place in positions])


def _bent(position: int, **changes: object) -> Make:
    return lambda f: f.bent(position, **changes)


def _replaced(position: int, change: Callable[[bytes], bytes]) -> Make:
    """Change the bytes of one certificate after all were issued."""

    def make(f: DocumentForge) -> bytes:
        ders = list(f.chain.ders)
        ders[position] = change(ders[position])
        return f.document(certificate=ders[-1], cabundle=ders[:-1])

    return make


def _flip_last(der: bytes) -> bytes:
    return der[:-1] + bytes([der[-1] ^ 1])


def _other_outer_algorithm(der: bytes) -> bytes:
    head, _, tail = der.rpartition(bytes.fromhex("2a8648ce3d040303"))
    return head + bytes.fromhex("2a8648ce3d040302") + tail


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def _leaf_below(f: DocumentForge) -> bytes:
    below = CertificatePlan("below the leaf", ca=False, usage=("digital_signature",))
    return f.document(f.chain_of((*f.shape, below)))


def _level_more(f: DocumentForge) -> bytes:
    *above, leaf = f.shape
    extra = CertificatePlan("one CA more", path_length=None)
    return f.document(f.chain_of((*above, extra, leaf)))


def _self_signed(f: DocumentForge) -> bytes:
    """Return a document whose only certificate is one that its maker wrote for themselves."""
    alone = f.chain_of((CertificatePlan("myself", usage=("digital_signature", "key_cert_sign")),))
    return f.document(alone, certificate=alone.root, cabundle=[alone.root])


def _by_the_instance(f: DocumentForge) -> bytes:
    ders = f.chain.ders
    return f.document(key=f.chain.keys[3], certificate=ders[3], cabundle=list(ders[:3]))


def _renewed_root(f: DocumentForge) -> bytes:
    plan = f.plan(0, end=timedelta(days=900))
    return f.document(f.chain_of(plan))


def _names(permitted: str) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    subtree = x509.DirectoryName(
        x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, permitted)])
    )
    return ((x509.NameConstraints([subtree], None), True),)


_POLICY = ((x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None), True),)
_HARMLESS = ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), False),)
_CERT_SIGN, _SIGN = ("key_cert_sign", "crl_sign"), ("digital_signature",)

CHAIN_ROWS: tuple[Row, ...] = (
    # The root.
    row("mock-root", "refuse", "root", "a whole chain under another root of the same names", _ROOT,
        lambda f: f.document(f.other)),
    row("aws-root-expected", "refuse", "root",
        "a good document of the test root, for a verifier that trusts AWS's", _ROOT,
        lambda f: f.document(), root="aws"),
    row("root-swapped-in-bundle", "refuse", "chain",
        "the trusted root in the bundle, the rest under another root of the same names", _LINK,
        lambda f: f.document(f.other, cabundle=[f.chain.root, *f.other.ders[1:4]])),
    row("self-signed", "refuse", "root", "one self-signed certificate, bundle and leaf in one",
        _ROOT, _self_signed),
    row("root-renewed", "may", "root", "the root's key with a new certificate of its own", _ROOT,
        _renewed_root, "a trust anchor is a name and a key; AWS publishes a certificate's hash"),
    # Validity.
    row("leaf-expired", "refuse", "validity",
        "leaf expired a second before the check, valid when the document was made", _VALID,
        _bent(4, end=-_SECOND)),
    row("leaf-expired-long-ago", "refuse", "validity", "leaf expired before the document was made",
        _VALID, _bent(4, end=_BEFORE)),
    row("leaf-not-yet-valid", "refuse", "validity", "leaf valid from half an hour after the check",
        _VALID, _bent(4, start=_AFTER)),
    row("instance-expired", "refuse", "validity", "the instance's CA expired", _VALID,
        _bent(3, end=_BEFORE)),
    row("zonal-expired", "refuse", "validity", "the zonal CA expired", _VALID,
        _bent(2, end=_BEFORE)),
    row("regional-not-yet-valid", "refuse", "validity", "the regional CA not valid yet", _VALID,
        _bent(1, start=_AFTER)),
    row("root-expired", "refuse", "validity", "the trusted root itself expired", _VALID,
        _bent(0, end=_BEFORE), root="expired"),
    row("last-second", "accept", "validity", "checked in the last second of the leaf's life",
        "RFC 5280 §4.1.2.5 (both ends included)", _bent(4, end=timedelta())),
    row("first-second", "accept", "validity", "checked in the first second of the leaf's life",
        "RFC 5280 §4.1.2.5 (both ends included)", _bent(4, start=timedelta())),
    # Links.
    row("leaf-signed-by-another-key", "refuse", "chain",
        "leaf signed by another instance's key of the same name", _LINK,
        lambda f: f.document(f.other, cabundle=list(f.chain.ders[:4]))),
    row("leaf-signature-changed", "refuse", "chain", "one bit of the leaf's signature", _LINK,
        _replaced(4, _flip_last)),
    row("zonal-signature-changed", "refuse", "chain", "one bit of the zonal CA's signature", _LINK,
        _replaced(2, _flip_last)),
    row("issuer-name-differs", "refuse", "chain",
        "leaf that names another issuer than the one that signed it",
        f"{_AWS} §3.2.4; RFC 5280 §6.1.3 (a)(4)", _bent(4, issuer="someone else")),
    row("intermediate-missing", "refuse", "chain", "bundle without the zonal CA", _LINK,
        _bundle(0, 1, 3)),
    row("instance-missing", "refuse", "chain", "bundle without the leaf's issuer", _LINK,
        _bundle(0, 1, 2)),
    row("only-the-root", "refuse", "chain", "bundle with nothing but the root", _LINK, _bundle(0)),
    row("outer-algorithm-differs", "refuse", "chain",
        "the unsigned algorithm of the leaf is not the signed one", "RFC 5280 §4.1.1.2",
        _replaced(4, _other_outer_algorithm)),
    row("leaf-in-pem", "refuse", "chain", "leaf in PEM", f"{_AWS} §2.2: DER encoded",
        lambda f: f.document(certificate=_pem(f.chain.ders[4]))),
    row("leaf-with-trailing-byte", "refuse", "chain", "a byte after the leaf's DER",
        f"{_AWS} §2.2: DER encoded; RFC 5280 §4.1", _replaced(4, lambda der: der + b"\0")),
    # What a certificate may do.
    row("leaf-without-digital-signature", "refuse", "chain", "leaf whose keyUsage lacks it",
        f"{_USAGE}; RFC 5280 §4.2.1.3", _bent(4, usage=("content_commitment",))),
    row("leaf-without-key-usage", "refuse", "chain", "leaf without keyUsage", _USAGE,
        _bent(4, usage=None)),
    row("ca-as-leaf", "refuse", "chain", "the instance's CA signs the document itself",
        f"{_USAGE}: digitalSignature present, pathLenConstraint undefined", _by_the_instance),
    row("leaf-with-path-length", "refuse", "chain", "leaf that is a CA with a path length",
        f"{_USAGE}: pathLenConstraint must be undefined",
        _bent(4, ca=True, path_length=0, usage=(*_SIGN, *_CERT_SIGN))),
    row("leaf-is-ca", "may", "chain", "leaf with CA=true and no path length", _USAGE,
        _bent(4, ca=True, usage=_SIGN), "AWS forbids the path length, and does not name CA=true"),
    row("leaf-may-sign-certificates", "may", "chain", "leaf with keyCertSign and CA=false",
        "RFC 5280 §4.2.1.9", _bent(4, usage=(*_SIGN, "key_cert_sign")),
        "a rule for who issues; no clause makes a verifier refuse it"),
    row("leaf-issues-leaf", "refuse", "chain", "the leaf issued another leaf, which signs", _CA,
        _leaf_below),
    row("ca-false", "refuse", "chain", "the instance's CA has CA=false", _CA, _bent(3, ca=False)),
    row("ca-without-basic-constraints", "refuse", "chain", "zonal CA without basicConstraints",
        f"{_AWS} §3.2.3.2; {_CA}", _bent(2, ca=None)),
    row("ca-without-cert-sign", "refuse", "chain", "regional CA without keyCertSign",
        f"{_USAGE}; RFC 5280 §6.1.4 (n)", _bent(1, usage=_SIGN)),
    row("ca-without-key-usage", "refuse", "chain", "regional CA without keyUsage",
        f"{_USAGE}: keyCertSign present", _bent(1, usage=None)),
    row("path-length-zonal", "refuse", "chain", "path length 0 above another CA", _PATH,
        _bent(2, path_length=0)),
    row("path-length-regional", "refuse", "chain", "path length 1 above two CAs", _PATH,
        _bent(1, path_length=1)),
    row("one-ca-more", "refuse", "chain", "a CA below the instance's, whose path length is 0",
        _PATH, _level_more),
    row("critical-extension-ca", "refuse", "chain", "zonal CA with an unknown critical extension",
        _CRITICAL, _bent(2, critical_extra=True)),
    row("critical-extension-leaf", "refuse", "chain", "leaf with an unknown critical extension",
        _CRITICAL, _bent(4, critical_extra=True)),
    row("name-constraints-broken", "refuse", "chain",
        "regional CA that may only issue for another organization", "RFC 5280 §6.1.3 (b), (c)",
        _bent(1, extensions=_names("somebody else"))),
    row("policy-required", "refuse", "chain", "a policy is required, and no certificate has one",
        "RFC 5280 §6.1.3 (f), §6.1.5 (g)", _bent(1, extensions=_POLICY)),
    row("name-constraints-kept", "may", "chain", "regional CA with name constraints that are kept",
        "RFC 5280 §4.2", _bent(1, extensions=_names("nitro-workflow TEST CERTIFICATES - trust "
        "nothing under them")), "who cannot process a critical extension must refuse"),
    row("extension-not-critical", "accept", "chain", "an unknown extension that is not critical",
        "RFC 5280 §4.2 (may be ignored)", _bent(3, extensions=_HARMLESS)),
    # The order.
    row("bundle-reversed", "may", "chain", "bundle from the instance's CA to the root", _ORDER,
        _bundle(3, 2, 1, 0), _BUILDING),
    row("bundle-swapped", "may", "chain", "regional and zonal CA swapped", _ORDER,
        _bundle(0, 2, 1, 3), _BUILDING),
    row("root-not-in-bundle", "may", "root", "bundle without the root", _ORDER, _bundle(1, 2, 3),
        _BUILDING),
    row("root-twice", "may", "chain", "the root twice", _ORDER, _bundle(0, 0, 1, 2, 3), _BUILDING),
    row("leaf-in-bundle", "may", "chain", "the leaf at the bundle's end too", _ORDER,
        _bundle(0, 1, 2, 3, 4), _BUILDING),
    row("certificate-extra", "may", "chain", "a certificate of another chain at the bundle's end",
        _ORDER, lambda f: f.document(cabundle=[*f.chain.ders[:4], f.other.ders[2]]), _BUILDING),
    row("chain-of-three", "may", "chain", "root, instance and leaf alone", _ORDER,
        lambda f: f.document(f.chain_of((f.shape[0], f.shape[3], f.shape[4]))),
        "AWS sends five certificates and names no number"),
    # Algorithms.
    row("intermediate-p256", "may", "chain", "zonal CA with a key on P-256", "none found",
        _bent(2, curve=ec.SECP256R1()), "AWS's are all on P-384; no clause asks for it"),
    row("certificate-sha256", "may", "chain", "the instance's CA signed over SHA-256", "none found",
        _bent(3, hash=SHA256()), "AWS's are all SHA-384; no clause asks for it"),
)  # fmt: skip
