"""The questions of the lessons: kept here, so that a notebook's source does not tell the answer."""

from __future__ import annotations

from collections.abc import Mapping

from nitro_workflow.widgets import Question

__all__ = ["QUESTIONS"]

QUESTIONS: Mapping[str, Question] = {
    "root-and-owner": Question(
        "The administrator has root on the instance. Can he become the data owner?",
        ("Yes, root can do anything", "No, the owner's trust policy does not name him"),
        1,
        "roles are taken through STS, and STS asks the role's trust policy",
    ),
    "owner-and-data-key": Question(
        "The owner made the key. May the owner make a data key with it now?",
        ("Yes, he owns it", "No, the policy does not say GenerateDataKey"),
        1,
        "owning the account means little in KMS: the key policy is the first word",
    ),
    "encrypted-data-key": Question(
        "Where does the encrypted data key go when the Encryption SDK encrypts?",
        ("Into the message's header", "Into a file beside it", "Nowhere, KMS keeps it"),
        0,
        "the SDK's message is self-contained; only the by-hand form needs a second object",
    ),
    "whose-consent": Question(
        "Two accounts are involved. Whose consent does GetObject by the instance need?",
        ("The bucket's owner's", "The instance's account's", "Both"),
        2,
        "across accounts the bucket policy and the caller's own policy must both allow",
    ),
    "untrusted-credentials": Question(
        "The instance role's credentials are not in that list. "
        "Why does the enclave not have to trust them?",
        ("They are secret", "A wrong one only makes KMS refuse", "They are in the image already"),
        1,
        "what can only lead to a refusal needs no trust; it may come over vsock",
    ),
    "second-door": Question(
        "Later somebody who may edit the policy allows kms:* to the whole account. "
        "Who can decrypt outside an enclave?",
        ("The whole account", "Nobody, the Deny still applies"),
        1,
        "an explicit Deny wins over every Allow, until somebody who may call PutKeyPolicy "
        "takes it out",
    ),
    "root-and-memory": Question(
        "The parent has root. Can it read the enclave's memory through /proc?",
        ("Yes, it is the same machine", "No, the enclave's processes are not in its namespace"),
        1,
        "on AWS the enclave is another virtual machine; here it is out of the parent's sight",
    ),
    "replay": Question(
        "The instance's role sends the enclave's whole Decrypt request again, genuine document "
        "included. What does it get?",
        ("A refusal: a document is used once", "An answer that it cannot open", "The data key"),
        1,
        "KMS keeps no list of used documents; the answer is sealed to the enclave's public key",
    ),
}
