"""Calls of accounts: keys that AWS takes no more are exchanged once, and nothing of them is told."""

from __future__ import annotations

import os
import random
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError

from capipool.providers.aws import failures
from capipool.providers.aws.calls import Calls, Keys
from capipool.providers.aws.failures import BadCredentials
from capipool.sdk.errors import CloudUnavailable, InvalidConfiguration, PermissionDenied

OLD, NEW = Keys("AKIAOLD", "s3cret"), Keys("AKIANEW", "s3cret")


class Account:
    """Keys out of a list, the next one whenever one is forgotten."""

    name = "account"

    def __init__(self, *keys: Keys) -> None:
        self.left = list(keys)
        self.asked = 0

    async def keys(self, region: str) -> Keys:
        self.asked += 1
        return self.left[0]

    def forget(self, keys: Keys) -> None:
        if len(self.left) > 1:
            self.left.pop(0)


class Library:
    """Answers with an error so often, then well."""

    def __init__(self, code: str, times: int) -> None:
        self.code, self.times, self.calls = code, times, 0

    def describe(self) -> dict[str, Any]:
        self.calls += 1
        if self.calls <= self.times:
            raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "describe")
        return {"fine": True}


def calls_of(library: Library, account: Account) -> Calls:
    calls = Calls(rng=random.Random(1), make_client=lambda service, region: library, rate=10000)
    return calls.of(account)


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidAccessKeyId"])
async def test_expired_keys_are_exchanged_and_the_call_is_made_again(code: str) -> None:
    library, account = Library(code, 1), Account(OLD, NEW)
    assert await calls_of(library, account).call("r", "ec2", "describe") == {"fine": True}
    assert (library.calls, account.left) == (2, [NEW])


@pytest.mark.parametrize(
    ("code", "keys", "made"),
    [("ExpiredToken", (OLD,), 1), ("ExpiredToken", (OLD, NEW), 2), ("UnauthorizedOperation", (OLD, NEW), 1)],
)
async def test_a_refusal_that_other_keys_do_not_mend_is_told(code: str, keys: tuple[Keys, ...], made: int) -> None:
    library = Library(code, 9)
    with pytest.raises(PermissionDenied):
        await calls_of(library, Account(*keys)).call("r", "ec2", "describe")
    assert library.calls == made


async def test_the_process_looks_for_its_own_credentials_anew_once_aws_takes_them_no_more(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    environment = {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_CONFIG_FILE": str(tmp_path / "none")}
    with mock.patch.dict(os.environ, environment), no_keys():
        calls = Calls(rng=random.Random(1), endpoint="http://127.0.0.1:9")
        with pytest.raises(BadCredentials, match="no credentials of AWS are found"):
            await calls.call("us-east-1", "ec2", "describe_regions")
        file.write_text("[default]\naws_access_key_id = AKIANEW\naws_secret_access_key = s3cret\n")
        with pytest.raises(CloudUnavailable, match="no answer"):  # signed now, and nobody is there
            await calls.call("us-east-1", "ec2", "describe_regions")


async def test_a_region_that_is_none_is_told_by_its_field() -> None:
    calls = Calls(rng=random.Random(1))
    with pytest.raises(InvalidConfiguration, match=r"spec\.region"):
        await calls.call("us east 1", "ec2", "describe_regions")
    with pytest.raises(InvalidConfiguration, match=r"spec\.region"):
        await calls.use("us east 1", "sts", lambda library: "")


def no_keys() -> AbstractContextManager[object]:
    """An environment without keys, and without a metadata service to get some from."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return mock.patch.dict(os.environ, kept | {"AWS_EC2_METADATA_DISABLED": "true"}, clear=True)


async def test_an_account_keeps_its_calls() -> None:
    calls = Calls(rng=random.Random(1), make_client=lambda service, region: None)
    one = calls.of(Account(OLD))
    assert (one.account, calls.account) == ("account", "")
    assert calls.of(Account(NEW)) is one
    assert one.of(None) is calls


async def test_an_account_is_made_once_for_all_who_ask_and_anew_when_it_is_another() -> None:
    calls = Calls(rng=random.Random(1), make_client=lambda service, region: None)
    made: list[Account] = []

    def make() -> Account:
        made.append(Account(OLD))
        return made[-1]

    found = [calls.once("account", origin, make) for origin in (("a", 1), ("a", 1), ("a", 2))]
    assert found[0] is found[1] is found[2]
    assert len(made) == 2
    assert found[0]._account is made[-1]


def test_a_refused_signature_does_not_show_what_was_signed() -> None:
    said = (
        "The request signature we calculated does not match.\n\nThe Canonical String for this request should have been"
    )
    error = failures.by_code("describe", "SignatureDoesNotMatch", "x")
    assert isinstance(error, PermissionDenied)
    answer = {"Error": {"Code": "SignatureDoesNotMatch", "Message": f"{said} 'x-amz-security-token:T0KEN'"}}
    assert "T0KEN" not in str(failures.translate("describe", ClientError(answer, "describe")))
