"""The words of the course, each in one or two plain sentences, with the page that says it best.

One table, in alphabetical order: `lesson.word("PCR0")` looks here, and `notebooks/glossary.md` is
made from it (`tools/notebooks.py --glossary`).

>>> find_word("pcr0").term
'PCR'
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from nitro_workflow.errors import UsageError

__all__ = ["GLOSSARY", "Word", "find_word", "glossary_page"]

_AWS: Final = "https://docs.aws.amazon.com"
_KMS: Final = f"{_AWS}/kms/latest/developerguide"
_ENCLAVES: Final = f"{_AWS}/enclaves/latest/user"
_IAM: Final = f"{_AWS}/IAM/latest/UserGuide"
_EC2: Final = f"{_AWS}/AWSEC2/latest/UserGuide"
_SDK: Final = f"{_AWS}/encryption-sdk/latest/developer-guide"
_RFC: Final = "https://www.rfc-editor.org/rfc"


@dataclass(frozen=True, slots=True)
class Word:
    """One word: what it means here, where that is written, what to look at next.

    ``also`` are other spellings under which it is found.
    """

    term: str
    meaning: str
    source: str = ""
    see: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """The word as the end of a link: ``glossary.md#attestation-document``."""
        return "".join(c if c.isalnum() else "-" for c in self.term.lower())

    def __repr__(self) -> str:
        lines = [f"{self.term}: {self.meaning}"]
        lines += [f"  see also: {', '.join(self.see)}"] if self.see else []
        lines += [f"  {self.source}"] if self.source else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        see = f" <i>See also: {escape(', '.join(self.see))}.</i>" if self.see else ""
        link = f' <a href="{escape(self.source)}">Source</a>' if self.source else ""
        return f"<p><b>{escape(self.term)}</b>: {escape(self.meaning)}{see}{link}</p>"


GLOSSARY: Final[tuple[Word, ...]] = (
    Word(
        "Account",
        "The owner of everything in AWS: a twelve-digit number to which roles, keys and buckets "
        "belong. Owning a key is not the permission to use it.",
        f"{_IAM}/id_root-user.html",
        ("Key policy", "Role"),
    ),
    Word(
        "ARN",
        "Amazon Resource Name: the full name of one thing in AWS, with service, region and "
        "account, as arn:aws:kms:us-east-1:111122223333:key/….",
        f"{_IAM}/reference-arns.html",
        also=("Amazon Resource Name",),
    ),
    Word(
        "Attestation",
        "Evidence of what runs where: an enclave shows measurements of its image, signed by the "
        "hypervisor under a certificate chain that ends at AWS's root.",
        f"{_ENCLAVES}/set-up-attestation.html",
        ("Attestation document", "Measurement", "PCR"),
    ),
    Word(
        "Attestation document",
        "What the NSM signs: PCRs, the time, the certificate chain, and up to three fields that "
        "the enclave fills: public key, user data, nonce. It is CBOR inside COSE_Sign1.",
        f"{_ENCLAVES}/verify-root.html",
        ("NSM", "PCR", "COSE", "Nonce", "User data"),
        ("document",),
    ),
    Word(
        "Cabundle",
        "The part of an attestation document that holds the certificates above the leaf, the root "
        "first. A verifier compares the root with the one it already has.",
        f"{_ENCLAVES}/verify-root.html",
        ("Certificate chain", "Leaf", "Root certificate"),
        ("CA bundle",),
    ),
    Word(
        "CBOR",
        "Concise Binary Object Representation: data as JSON has it, in bytes. Attestation "
        "documents and the NSM's messages are written in it.",
        f"{_RFC}/rfc8949",
        ("COSE",),
    ),
    Word(
        "Certificate chain",
        "Certificates of which each signs the next, from the root to the leaf. Who trusts the "
        "root can check every signature down to the document.",
        f"{_RFC}/rfc5280",
        ("Cabundle", "Leaf", "Root certificate"),
        ("chain",),
    ),
    Word(
        "CID",
        "Context identifier: the number under which a virtual machine is reached over vsock. The "
        "parent is always 3.",
        "https://man7.org/linux/man-pages/man7/vsock.7.html",
        ("Vsock", "Parent instance"),
    ),
    Word(
        "CloudTrail",
        "AWS's record of the calls in an account: who asked for what, and whether it was refused. "
        "It comes minutes later, and never says which condition failed.",
        f"{_KMS}/logging-using-cloudtrail.html",
        ("Decision",),
    ),
    Word(
        "CMS",
        "Cryptographic Message Syntax: the form of the envelope in which KMS answers an attested "
        "request.",
        f"{_RFC}/rfc5652",
        ("Envelope",),
    ),
    Word(
        "Commitment",
        "Key commitment: a message of the Encryption SDK opens under one data key only. Nobody "
        "can make one that opens to two different texts.",
        f"{_SDK}/concepts.html",
        ("Encryption SDK", "Message"),
        ("key commitment",),
    ),
    Word(
        "Condition key",
        "A value of the request that a policy's Condition looks at, such as "
        "kms:RecipientAttestation:PCR0. A request without a document has no such key.",
        f"{_KMS}/conditions-attestation.html",
        ("Key policy", "Operator", "PCR"),
        ("condition",),
    ),
    Word(
        "COSE",
        "CBOR Object Signing and Encryption: how an attestation document is signed. Its form here "
        "is COSE_Sign1: one signature, ECDSA over P-384.",
        f"{_RFC}/rfc9052",
        ("CBOR", "Attestation document"),
        ("COSE_Sign1",),
    ),
    Word(
        "Data key",
        "The AES-256 key that encrypts the data. KMS makes it and gives it twice: in clear, to be "
        "used and forgotten, and encrypted, to be kept beside the data.",
        f"{_KMS}/data-keys.html",
        ("KMS key", "Encryption context"),
    ),
    Word(
        "Debug mode",
        "An enclave that is started with --debug-mode shows its console, and its documents have "
        "zeros for PCR0 to PCR2: whoever asks for your PCRs refuses it.",
        f"{_ENCLAVES}/cmd-nitro-run-enclave.html",
        ("PCR",),
        ("debug",),
    ),
    Word(
        "Decision",
        "What the policies come to for one request: allowed, denied because nothing allows it, or "
        "denied by an explicit Deny.",
        f"{_IAM}/reference_policies_evaluation-logic.html",
        ("Explicit deny", "Key policy"),
    ),
    Word(
        "Digest",
        "The result of a hash function: a short value that stands for many bytes. Other bytes "
        "give another digest. PCRs are SHA-384, 48 bytes, 96 hex digits.",
        "https://csrc.nist.gov/pubs/fips/180-4/upd1/final",
        ("Measurement", "PCR"),
        ("hash", "SHA-384", "SHA-256"),
    ),
    Word(
        "EIF",
        "Enclave Image File: kernel, command line and ramdisks in one file, from which an enclave "
        "boots and from which the PCRs are computed.",
        f"{_ENCLAVES}/building-eif.html",
        ("Kernel", "Ramdisk", "PCR"),
        ("enclave image file", "image"),
    ),
    Word(
        "Enclave",
        "A virtual machine cut out of its parent's memory and CPUs: no disk, no network, no login, "
        "one vsock. Neither root on the parent nor the account's administrator sees inside.",
        f"{_ENCLAVES}/nitro-enclave.html",
        ("Parent instance", "Vsock", "NSM"),
        ("Nitro Enclave",),
    ),
    Word(
        "Encryption context",
        "Names and values that are bound to a ciphertext without being secret. KMS decrypts only "
        "when the same context is given, and policies can ask for it.",
        f"{_KMS}/encrypt_context.html",
        ("Data key", "Condition key"),
    ),
    Word(
        "Encryption SDK",
        "AWS's library that encrypts data under a data key and puts that key, encrypted, into the "
        "message's own header.",
        f"{_SDK}/introduction.html",
        ("Message", "Commitment", "Data key"),
    ),
    Word(
        "Envelope",
        "In this course one thing only: the CMS structure in CiphertextForRecipient, in which KMS "
        "seals its answer to the public key of the attestation document.",
        f"{_KMS}/cryptographic-attestation.html",
        ("CMS", "Recipient", "Sealed"),
        ("CiphertextForRecipient",),
    ),
    Word(
        "Explicit deny",
        "A Deny statement that applies to a request. It beats every Allow, in whatever policy or "
        "grant that stands.",
        f"{_IAM}/reference_policies_evaluation-logic.html",
        ("Decision", "Implicit deny"),
        ("deny",),
    ),
    Word(
        "Grant",
        "A permission on one key, given beside its policy by CreateGrant. An explicit Deny of the "
        "key policy stops it, too; denying CreateGrant does not take older grants back.",
        f"{_KMS}/grants.html",
        ("Key policy",),
    ),
    Word(
        "Hypervisor",
        "What runs virtual machines and keeps them apart: on AWS the Nitro hypervisor. It measures "
        "the image, and signs attestation documents.",
        f"{_ENCLAVES}/nitro-enclave-concepts.html",
        ("Enclave", "NSM"),
    ),
    Word(
        "IAM",
        "Identity and Access Management: roles and their policies. To use a key, the key policy "
        "must agree, too.",
        f"{_IAM}/introduction.html",
        ("Role", "Key policy"),
        ("identity policy",),
    ),
    Word(
        "Implicit deny",
        "What is not allowed is denied: no statement applies, and so the answer is no.",
        f"{_IAM}/reference_policies_evaluation-logic.html",
        ("Decision", "Explicit deny"),
    ),
    Word(
        "Instance role",
        "The role whose credentials every program on the instance can read, from the metadata "
        "service. That is why the key policy must not trust the role alone.",
        f"{_IAM}/id_roles_use_switch-role-ec2.html",
        ("Role", "Metadata service", "Parent instance"),
        ("parent role",),
    ),
    Word(
        "Kernel",
        "The core of an operating system. The enclave's is part of its image, and so part of its "
        "measurements (PCR0 and PCR1).",
        f"{_ENCLAVES}/set-up-attestation.html",
        ("EIF", "Ramdisk"),
    ),
    Word(
        "Key policy",
        "The policy of one KMS key. Without its word nobody may use the key: neither the account "
        "that owns it nor whoever made it.",
        f"{_KMS}/key-policies.html",
        ("Statement", "Condition key", "Principal"),
    ),
    Word(
        "KMS",
        "AWS Key Management Service: keeps keys that never leave it, and decides by policy who "
        "may have something encrypted or decrypted.",
        f"{_KMS}/overview.html",
        ("KMS key", "Key policy"),
        ("AWS KMS",),
    ),
    Word(
        "KMS key",
        "A key that stays inside KMS. It encrypts and decrypts data keys; the data never go to "
        "KMS.",
        f"{_KMS}/concepts.html",
        ("Data key", "Key policy"),
        ("customer managed key",),
    ),
    Word(
        "Leaf",
        "The last certificate of a chain: the one whose key signed the document. An enclave's is "
        "valid for three hours.",
        f"{_ENCLAVES}/verify-root.html",
        ("Certificate chain", "Cabundle"),
    ),
    Word(
        "Measured configuration",
        "Settings that are part of the image, and so of PCR0: whoever changes one has another "
        "image.",
        f"{_ENCLAVES}/set-up-attestation.html",
        ("Measurement", "EIF"),
    ),
    Word(
        "Measurement",
        "A digest of what is started, taken before it starts: the value of a PCR.",
        f"{_ENCLAVES}/set-up-attestation.html",
        ("PCR", "Digest"),
        ("measured",),
    ),
    Word(
        "Message",
        "In this course: what the Encryption SDK writes. A header with the encrypted data key and "
        "the context, then frames of ciphertext, each with a tag; some algorithm suites sign it at "
        "its end.",
        f"{_SDK}/message-format.html",
        ("Encryption SDK", "Commitment"),
    ),
    Word(
        "Metadata service",
        "An address inside each instance, 169.254.169.254, that tells programs about it and gives "
        "the credentials of its role.",
        f"{_EC2}/configuring-instance-metadata-service.html",
        ("Instance role",),
        ("IMDS", "IMDSv2"),
    ),
    Word(
        "NitroTPM",
        "The TPM of an EC2 instance. It attests a whole instance, booted from an attestable AMI, "
        "where an enclave attests an image.",
        f"{_EC2}/nitrotpm.html",
        ("Attestation", "PCR"),
        ("attestable AMI",),
    ),
    Word(
        "Nonce",
        "A value that is used once. Whoever asks for a document chooses it, and finds it in the "
        "document: so the document was made after the question.",
        f"{_ENCLAVES}/verify-root.html",
        ("Attestation document",),
    ),
    Word(
        "NSM",
        "Nitro Secure Module: the device /dev/nsm in the enclave. It extends PCRs, gives random "
        "numbers, and signs attestation documents.",
        f"{_ENCLAVES}/nitro-enclave-concepts.html",
        ("Attestation document", "PCR", "Hypervisor"),
        ("Nitro Secure Module",),
    ),
    Word(
        "Operator",
        "How a Condition compares: StringEquals, StringNotEquals, Null …. Without the key a "
        "positive operator is false, a negated one true.",
        f"{_IAM}/reference_policies_elements_condition_operators.html",
        ("Condition key",),
        ("condition operator", "IfExists"),
    ),
    Word(
        "Parent instance",
        "The EC2 instance on which an enclave runs. It starts and stops it, and carries its "
        "traffic; it cannot look inside.",
        f"{_ENCLAVES}/nitro-enclave-concepts.html",
        ("Enclave", "Vsock", "Instance role"),
        ("parent",),
    ),
    Word(
        "PCR",
        "Platform configuration register: 48 bytes that say what was started. PCR0 is the whole "
        "image, PCR1 kernel and boot ramdisk, PCR2 the application, PCR3 the parent's role, PCR4 "
        "the parent itself, PCR8 the image's signer.",
        f"{_ENCLAVES}/set-up-attestation.html",
        ("Measurement", "Attestation document", "Debug mode"),
        ("PCR0", "PCR1", "PCR2", "PCR3", "PCR4", "PCR8", "PCRs"),
    ),
    Word(
        "Policy",
        "Statements that allow or deny. It belongs to a key or a bucket (what may be done with "
        "it) or to a role (what that may do).",
        f"{_IAM}/access_policies.html",
        ("Statement", "Key policy", "IAM"),
    ),
    Word(
        "Principal",
        'Whom a statement is about: a role, an account, or everybody ({"AWS": "*"}).',
        f"{_IAM}/reference_policies_elements_principal.html",
        ("Statement", "Role"),
    ),
    Word(
        "Proxy",
        "The program on the parent that carries an enclave's TLS to KMS, from vsock to TCP. It "
        "sees names and lengths, never what is inside.",
        f"{_ENCLAVES}/kms.html",
        ("Vsock", "TLS record"),
        ("vsock-proxy",),
    ),
    Word(
        "Ramdisk",
        "A file system that is loaded into memory with the kernel. An EIF has two or more: the "
        "first boots, the others hold the application.",
        f"{_ENCLAVES}/set-up-attestation.html",
        ("EIF", "Kernel"),
    ),
    Word(
        "Receipt",
        "In this workflow: an attestation document over the digest of a result. The owner checks "
        "it before they believe the result.",
        "",
        ("Attestation document", "Result key", "User data"),
    ),
    Word(
        "Recipient",
        "The member of a Decrypt request that carries the attestation document. With it KMS does "
        "not answer in clear, but in an envelope for the enclave's public key.",
        f"{_AWS}/kms/latest/APIReference/API_RecipientInfo.html",
        ("Envelope", "Attestation document"),
        ("RecipientInfo",),
    ),
    Word(
        "Result key",
        "In this workflow: a key pair of the owner. The enclave encrypts its result to the public "
        "half, so that nobody on the way reads it.",
        "",
        ("Receipt",),
    ),
    Word(
        "Role",
        "An identity that is taken for a time, with its own policy. Here each party is a role.",
        f"{_IAM}/id_roles.html",
        ("IAM", "STS", "Instance role"),
    ),
    Word(
        "Root certificate",
        "The certificate at the top of a chain. It signs itself: that it is the right one must be "
        "known from elsewhere, here by its SHA-256 fingerprint.",
        f"{_ENCLAVES}/verify-root.html",
        ("Trust root", "Certificate chain"),
        ("root",),
    ),
    Word(
        "Sealed",
        "Encrypted to one public key: only who has the private key opens it.",
        f"{_KMS}/cryptographic-attestation.html",
        ("Envelope",),
    ),
    Word(
        "Stand-in",
        "What plays the part of something that this machine has not: the lab's cloud for AWS, its "
        "hypervisor for Nitro's. Formats and cryptography are the real ones.",
        "",
        ("Trust root",),
    ),
    Word(
        "Statement",
        "One sentence of a policy: Effect, Principal, Action, Resource, Condition. It applies when "
        "all of them fit the request.",
        f"{_IAM}/reference_policies_elements_statement.html",
        ("Policy", "Explicit deny", "Condition key"),
    ),
    Word(
        "STS",
        "Security Token Service: gives the credentials of a role to who may take it.",
        f"{_AWS}/STS/latest/APIReference/welcome.html",
        ("Role",),
    ),
    Word(
        "Threshold",
        "In this workflow: the least number of people in a group whose sums may leave the enclave. "
        "Smaller groups are left out.",
        "",
        ("Measured configuration",),
    ),
    Word(
        "TLS record",
        "One piece of an encrypted connection, with its type and length in clear. The parent sees "
        "these, and no more.",
        f"{_RFC}/rfc8446",
        ("Proxy",),
        ("TLS",),
    ),
    Word(
        "Trust root",
        "Where trust begins: the root certificate that a verifier accepts. In this lab it is the "
        "lab's own and not AWS's; every view says which.",
        f"{_ENCLAVES}/verify-root.html",
        ("Root certificate", "Stand-in"),
    ),
    Word(
        "User data",
        "A field of the attestation document that the enclave fills with bytes of its own (AWS's "
        "text says up to 512, its grammar 1,024): the hypervisor signs that this enclave said so.",
        f"{_ENCLAVES}/verify-root.html",
        ("Attestation document", "Nonce"),
        ("user_data",),
    ),
    Word(
        "Vsock",
        "A socket between virtual machine and host, addressed by CID and port. It is an enclave's "
        "only way in and out.",
        "https://man7.org/linux/man-pages/man7/vsock.7.html",
        ("CID", "Proxy", "Enclave"),
    ),
)


def find_word(term: str) -> Word:
    """Return a word by its name or another spelling. Raises `UsageError` for an unknown one."""
    known = {name.lower(): word for word in GLOSSARY for name in (*word.also, word.term)}
    asked = str(term).strip().lower()
    if asked in known:
        return known[asked]
    near = difflib.get_close_matches(asked, known, n=4, cutoff=0.5)
    raise UsageError(
        f"no word {term!r}",
        expected=", ".join(near) or "a word of the glossary",
        where="lesson.word",
        next="all words stand in glossary.md, beside the notebooks",
    )


def glossary_page() -> str:
    """Return `notebooks/glossary.md`."""
    return "\n".join(_page_lines())


def _page_lines() -> Iterator[str]:
    yield "# Glossary"
    yield ""
    yield 'The words of the course. In a notebook: `lesson.word("PCR0")`.'
    anchors = {word.term: word.anchor for word in GLOSSARY}
    for word in GLOSSARY:
        yield from ("", f"## {word.term}", "", word.meaning)
        more = [f"[{term}](#{anchors[term]})" for term in word.see]
        links = [f"See also: {', '.join(more)}."] if more else []
        links += [f"[Source]({word.source})"] if word.source else []
        if links:
            yield ""
            yield " ".join(links)
    yield ""
