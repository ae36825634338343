"""Every error of the package, in one tree.

::

    NitroWorkflowError
    ├── InputError                 exit 3   the bytes or text given are not what they should be
    │   ├── EncodingError                   CBOR or COSE
    │   ├── DocumentError                   attestation document
    │   ├── CertificateError                X.509
    │   ├── ImageError                      EIF, ramdisk, root filesystem, OCI layout
    │   ├── PolicyError                     IAM policy language, policy request
    │   ├── EnvelopeError                   CMS CiphertextForRecipient
    │   ├── FrameError                      vsock messages
    │   ├── DatasetError                    the application's CSV
    │   └── LabError                        lab folder
    ├── Refused                    exit 1   all was readable, and the answer is no
    │   ├── VerificationError               an attestation document that is not to be believed
    │   ├── ImageRefused                    an image that breaks a rule, or a bad signature
    │   ├── AccessRefused                   the cloud said no; carries the explanation
    │   ├── ReceiptRefused                  a result whose receipt does not hold
    │   └── UntrustedAnswer                 an answer that fails closed (KMS, proxy, enclave)
    ├── UsageError                 exit 2   the call does not make sense
    │   └── MissingExtra                    it needs an extra of the package that is not installed
    └── ServiceError               exit 4   a process or machine did not do its part
        ├── CloudUnavailable
        ├── HostError                       nitro-cli's E-codes are in `code`
        ├── SandboxUnavailable
        ├── NsmError                        the Nitro Security Module answered an error
        ├── EnclaveError                    the enclave reported a failure
        └── VsockError

Each carries four sentences for the person who meets it: what was ``found``, what was ``expected``,
``where`` (byte offset, field, JSON path, step) and what to do ``next``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

__all__ = [
    "AccessRefused",
    "CertificateError",
    "CloudUnavailable",
    "DatasetError",
    "DocumentError",
    "EnclaveError",
    "EncodingError",
    "EnvelopeError",
    "FrameError",
    "HostError",
    "ImageError",
    "ImageRefused",
    "InputError",
    "LabError",
    "MissingExtra",
    "NitroWorkflowError",
    "NsmError",
    "PolicyError",
    "ReceiptRefused",
    "Refused",
    "SandboxUnavailable",
    "ServiceError",
    "UntrustedAnswer",
    "UsageError",
    "VerificationError",
    "VsockError",
]


class NitroWorkflowError(Exception):
    """Root of the tree. ``str()`` is one line; `diagnostics` is the whole story."""

    exit_code: ClassVar[int] = 4

    def __init__(
        self,
        found: str,
        *,
        expected: str = "",
        where: str = "",
        next: str = "",  # noqa: A002 - the four words are the same here, in JSON and on the screen
        code: str = "",
    ) -> None:
        self.found = found
        self.expected = expected
        self.where = where
        self.next = next
        self.code = code or type(self).__name__
        super().__init__(found, expected, where, next, self.code)

    def __str__(self) -> str:
        text = f"{self.where}: {self.found}" if self.where else self.found
        return f"{text}; expected {self.expected}" if self.expected else text

    def diagnostics(self) -> str:
        """Return the error as lines for a terminal or a notebook, without control characters."""
        rows = (
            ("where", self.where),
            ("found", self.found),
            ("expected", self.expected),
            ("next", self.next),
        )
        lines = [f"{label:>8}  {text}" for label, text in rows if text]
        text = "\n".join([self.code, *lines])
        # What was found may be an attacker's: a terminal must not obey it.
        return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback."""
        from nitro_workflow.refusal_box import text_box

        return text_box(self)

    def _repr_html_(self) -> str:
        """Return the error as a notebook shows it where it is a value."""
        from nitro_workflow.refusal_box import html_box

        return html_box(self)

    def to_json(self) -> dict[str, str]:
        """Return ``{"type", "code", "found", "expected", "where", "next"}``, all strings.

        ``type`` is the class's name; a `VerificationError` has its ``step`` too.
        """
        return {
            "type": type(self).__name__,
            "code": self.code,
            "found": self.found,
            "expected": self.expected,
            "where": self.where,
            "next": self.next,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NitroWorkflowError:
        """Return the error that another process wrote with `to_json`, of the class it had there.

        What is not known is not trusted either: a ``type`` outside this tree gives an
        `EnclaveError`, whatever is not text is written as text. Nothing raises.

        >>> error = NitroWorkflowError.from_json(VsockError("cut", code="E1").to_json())
        >>> type(error).__name__, error.code, str(error)
        ('VsockError', 'E1', 'cut')
        """
        texts = {name: str(entry or "") for name, entry in value.items()}
        fields = {name: texts.get(name, "") for name in ("expected", "where", "next")}
        kind = _kinds().get(texts.get("type") or texts.get("code", ""), EnclaveError)
        error = kind._restored(texts, fields)  # noqa: SLF001 - a subclass's own
        error.code = texts.get("code") or error.code
        error.args = (error.found, error.expected, error.where, error.next, error.code)
        return error

    @classmethod
    def _restored(cls, texts: Mapping[str, str], fields: Mapping[str, str]) -> NitroWorkflowError:
        return cls(texts.get("found") or "no reason was recorded", **fields)


class InputError(NitroWorkflowError):
    """The bytes or text given are not what they should be."""

    exit_code = 3


class EncodingError(InputError):
    """Bytes that are not the CBOR or COSE they should be; ``offset`` is where, in bytes."""

    def __init__(
        self,
        found: str,
        *,
        expected: str = "",
        offset: int | None = None,
        where: str = "",
        next: str = "",  # noqa: A002
    ) -> None:
        self.offset = offset
        place = where or (f"byte {offset}" if offset is not None else "")
        super().__init__(found, expected=expected, where=place, next=next)


class DocumentError(InputError):
    """Bytes that are not an attestation document."""


class CertificateError(InputError):
    """Bytes that are not the X.509 certificate they should be."""


class ImageError(InputError):
    """Bytes that are not an EIF, a ramdisk, a root filesystem or an OCI layout."""


class PolicyError(InputError):
    """Text that is not an IAM policy, or a request that cannot be decided."""


class EnvelopeError(InputError):
    """Bytes that are not a ``CiphertextForRecipient`` envelope, or one for another key."""


class FrameError(InputError):
    """A vsock message that breaks its framing or its limits."""


class DatasetError(InputError):
    """Data that is not the CSV that the application processes."""


class LabError(InputError):
    """A lab folder that is missing, half-written, or of another version."""


class Refused(NitroWorkflowError):
    """All was readable, and the answer is no."""

    exit_code = 1


class VerificationError(Refused):
    """An attestation document that is not to be believed; ``step`` is the id of the check."""

    def __init__(
        self,
        found: str,
        *,
        step: str,
        expected: str = "",
        where: str = "",
        next: str = "",  # noqa: A002
    ) -> None:
        self.step = step
        super().__init__(found, expected=expected, where=where or step, next=next)

    def to_json(self) -> dict[str, str]:
        """Return the six texts, and ``step``."""
        return {**super().to_json(), "step": self.step}

    @classmethod
    def _restored(cls, texts: Mapping[str, str], fields: Mapping[str, str]) -> VerificationError:
        found = texts.get("found") or "no reason was recorded"
        return cls(found, step=texts.get("step", ""), **fields)


class ImageRefused(Refused):
    """An image that breaks a rule of its format, or whose signature does not hold."""


class AccessRefused(Refused):
    """The cloud said no. ``explanation`` is the text of `policy`'s explanation, if one is known."""

    def __init__(
        self,
        found: str,
        *,
        expected: str = "",
        where: str = "",
        next: str = "",  # noqa: A002
        code: str = "AccessDeniedException",
        explanation: str = "",
    ) -> None:
        self.explanation = explanation
        super().__init__(found, expected=expected, where=where, next=next, code=code)


class ReceiptRefused(Refused):
    """A result whose attested receipt does not hold."""


class UntrustedAnswer(Refused):
    """An answer that cannot be believed: the client fails closed."""


class UsageError(NitroWorkflowError):
    """The call does not make sense."""

    exit_code = 2


class MissingExtra(UsageError):
    """The call needs an extra of the package that is not installed; ``str()`` names it."""


class ServiceError(NitroWorkflowError):
    """A process or a machine did not do its part."""

    exit_code = 4


class CloudUnavailable(ServiceError):
    """The cloud endpoint does not answer."""


class HostError(ServiceError):
    """What runs enclaves failed; ``code`` is nitro-cli's (``E26``)."""


class SandboxUnavailable(ServiceError):
    """This machine does not let the sandbox be made; ``next`` names the setting."""


class NsmError(ServiceError):
    """The Nitro Security Module answered an error; ``code`` is its name (``InvalidIndex``)."""


class EnclaveError(ServiceError):
    """The enclave reported a failure of its own."""


class VsockError(ServiceError):
    """A vsock connection could not be made or was cut."""


def _kinds() -> dict[str, type[NitroWorkflowError]]:
    kinds, waiting = {}, [NitroWorkflowError]
    while waiting:
        kind = waiting.pop()
        if kind.__module__ == __name__:
            kinds[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return kinds
