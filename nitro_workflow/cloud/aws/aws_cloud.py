"""AWS as the workflow sees it: a member of the `Cloud` protocol.

Nothing is asked of AWS before something needs it; who the operators are is asked once, by
GetCallerIdentity, and held against the accounts that the lab was agreed to for.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud.aws.amazon_reach import AmazonReach, Reach
from nitro_workflow.cloud.aws.aws_names import LAB_TAG, aws_names
from nitro_workflow.cloud.aws.aws_permissions import further_permissions
from nitro_workflow.cloud.aws.aws_sessions import (
    assumed_session,
    operator_session,
    session_of_keys,
)
from nitro_workflow.cloud.client_errors import DENIED, error_code
from nitro_workflow.cloud.cloud_protocol import Accounts, Cloud, Observe, Patience, Trust
from nitro_workflow.errors import AccessRefused, LabError, UsageError

if TYPE_CHECKING:
    import boto3

    from nitro_workflow.cloud.aws.aws_settings import AwsSettings

__all__ = ["AwsCloud"]

SESSION_NAME: Final = "nitro-workflow"


class AwsCloud:
    """AWS, for the lab of that ``identity``. ``say`` hears why something takes long.

    It takes no endpoint, no CA and no root: see `AmazonReach` and `Trust`.

    >>> from nitro_workflow.cloud import AwsSettings
    >>> AwsCloud(AwsSettings("eu-central-1"), "0011223344556677").kms_host
    'kms.eu-central-1.amazonaws.com'
    """

    kind: str = "aws"
    explains: bool = False
    public: bool = True
    # Records come within some minutes (CloudTrail User Guide): a step waits for none.
    trail: Patience = Patience(seconds=0.0, pause=0.6)
    settling: Patience = Patience(seconds=90.0, pause=3.0)
    _reach: Reach = AmazonReach()

    def __init__(
        self, settings: AwsSettings, identity: str, say: Callable[[str], None] | None = None
    ) -> None:
        self.settings = settings
        self.identity = identity
        self.region = settings.region
        self.names = aws_names(settings, identity)
        self.tags: Mapping[str, str] = {LAB_TAG: identity}
        self._say = say or (lambda _: None)

    @functools.cached_property
    def accounts(self) -> Accounts:
        """Return the operators' accounts: those recorded, else asked by GetCallerIdentity."""
        known = self.settings
        if known.data_account and known.compute_account:
            return Accounts(known.data_account, known.compute_account)
        data, compute = (str(self._caller(party)["Account"]) for party in ("data", "compute"))
        return Accounts(data, compute)

    @property
    def kms_host(self) -> str:
        """Return KMS's regional name: measured with the image."""
        return f"kms.{self.region}.amazonaws.com"

    @property
    def url(self) -> str:
        """Return KMS's regional endpoint."""
        return f"https://{self.kms_host}"

    def up(self) -> None:
        """Ask who the operators are; raises `LabError` where they are not who they were."""
        for side, expected in (("data", self.accounts.data), ("compute", self.accounts.compute)):
            found = str(self._caller(side)["Account"])
            if found != expected:
                raise LabError(
                    f"the {side} operator's account is {found}",
                    expected=f"{expected}, where this lab was set up",
                    where=f"--{side}-profile",
                    next="use the profile that it was set up with, or make a new lab with --lab",
                )

    def trust(self) -> Trust:
        """Return AWS's constant."""
        return Trust.aws()

    def further_permissions(self, party: str) -> Sequence[Mapping[str, Any]]:
        """Return what the way to the instance needs: images through S3, commands through SSM."""
        return further_permissions(
            party,
            data_bucket=self.names.data_bucket,
            images_bucket=self.names.images_bucket,
            region=self.region,
            account=self.accounts.compute,
            identity=self.identity,
            instance=self.names.given.get("instance", ""),
        )

    # -- sessions ----------------------------------------------------------------------------------

    def operator(self, account: str) -> boto3.Session:
        """Return the operator's session of an account; raises `UsageError` for a third one."""
        for side, mine in (("data", self.accounts.data), ("compute", self.accounts.compute)):
            if account == mine:
                return self._operator(side)
        raise UsageError(
            f"account {account}",
            expected=f"{self.accounts.data} or {self.accounts.compute}",
            where="operator",
            next="name one of the lab's two accounts",
        )

    def operator_arn(self, account: str) -> str:
        """Return the principal that the operator is; a role for who has assumed one."""
        side = "data" if account == self.accounts.data else "compute"
        arn = str(self._caller(side)["Arn"])
        kind, _, rest = arn.rpartition(":")[2].partition("/")
        if kind != "assumed-role":
            return arn
        role = rest.partition("/")[0]
        # Only IAM knows the role's path, which its sessions do not show (SSO's roles have one).
        return str(self._operator(side).client("iam").get_role(RoleName=role)["Role"]["Arn"])

    def session(
        self, account: str, role_arn: str, *, party: str, observe: Observe | None = None
    ) -> boto3.Session:
        """Return a session of the role, renewed before its credentials end.

        Every key that the owner makes has the lab's tags, in a step or by hand: teardown finds it.
        """
        sts = self.operator(account).client("sts")

        def refresh() -> dict[str, str]:
            keys = self._assume(sts, role_arn)
            return {
                "access_key": keys["AccessKeyId"],
                "secret_key": keys["SecretAccessKey"],
                "token": keys["SessionToken"],
                "expiry_time": keys["Expiration"].isoformat(),
            }

        tags = self.tags if party == "owner" else None
        return assumed_session(
            self._reach, self.region, refresh, party=party, observe=observe, key_tags=tags
        )

    def session_with(self, keys: Mapping[str, str], *, party: str) -> boto3.Session:
        """Return a session with keys from elsewhere."""
        return session_of_keys(self._reach, self.region, keys, party=party)

    @contextlib.contextmanager
    def with_document_age(self, seconds: int) -> Iterator[Cloud]:
        """Raise `UsageError`: how old a document AWS takes is AWS's to say."""
        raise UsageError(
            "another age of documents",
            expected="what AWS's KMS takes",
            where="cloud",
            next="try this attack in a lab of the local cloud",
        )
        yield self

    def _assume(self, sts: Any, role_arn: str) -> Mapping[str, Any]:
        """Assume a role; a new one is not known everywhere for some seconds."""
        from botocore.exceptions import ClientError

        deadline = time.monotonic() + self.settling.seconds
        while True:
            try:
                answer = sts.assume_role(RoleArn=role_arn, RoleSessionName=SESSION_NAME)
                return dict(answer["Credentials"])
            except ClientError as error:
                if error_code(error) not in DENIED or time.monotonic() > deadline:
                    raise
            name = role_arn.rpartition("/")[2]
            self._say(f"AWS does not know the role {name} everywhere yet: asking again …")
            time.sleep(self.settling.pause)

    def _operator(self, side: str) -> boto3.Session:
        known = self._operators.get(side)
        if known is None:
            profile = getattr(self.settings, f"{side}_profile")
            known = self._operators[side] = self._new_operator(profile)
        return known

    def _new_operator(self, profile: str) -> boto3.Session:
        return operator_session(self._reach, self.region, profile)

    @functools.cached_property
    def _operators(self) -> dict[str, Any]:
        return {}

    @functools.cached_property
    def _callers(self) -> dict[str, Mapping[str, Any]]:
        return {}

    def _caller(self, side: str) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        if side not in self._callers:
            try:
                answer = self._operator(side).client("sts").get_caller_identity()
            except (ClientError, BotoCoreError) as error:
                raise _no_operator(side, error) from error
            self._callers[side] = answer
        return self._callers[side]


def _no_operator(side: str, error: Exception) -> AccessRefused:
    return AccessRefused(
        f"no credentials that AWS takes: {error}",
        expected=f"the {side} account's operator: a profile, or the SDK's own chain",
        where=f"--{side}-profile",
        next="`aws sso login`, or set AWS_PROFILE; `nitro-workflow aws check --plan` needs none",
    )
