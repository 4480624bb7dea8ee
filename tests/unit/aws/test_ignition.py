"""How Ignition's data reaches an instance."""

from __future__ import annotations

import json
from typing import Any

import pytest

from capipool.machinery import objects
from capipool.providers.aws import ignition
from capipool.providers.aws.api.machinepool import AWSMachinePool, Ignition
from capipool.sdk import InvalidConfiguration


def wanted(**fields: Any) -> Ignition:
    raw = {"spec": {"ignition": fields}}
    found = objects.from_raw(AWSMachinePool, {"metadata": {"name": "p"}, **raw}).spec.ignition
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("version", "written", "how"), [("", "2.3.0", "append"), ("2.3", "2.3.0", "append"), ("3.4", "3.4.0", "merge")]
)
def test_a_pointer_fetches_the_whole_one_as_its_version_does(version: str, written: str, how: str) -> None:
    made = json.loads(ignition.pointer("s3://b/k", wanted(version=version) if version else wanted()))
    assert made == {"ignition": {"version": written, "config": {how: [{"source": "s3://b/k"}]}}}


def test_proxies_and_authorities_are_written_into_the_head() -> None:
    said = wanted(
        version="3.1",
        proxy={"httpsProxy": "http://p", "noProxy": ["a"]},
        tls={"certificateAuthorities": ["https://ca"]},
    )
    head = json.loads(ignition.pointer("s3://b/k", said))["ignition"]
    assert head["proxy"] == {"httpsProxy": "http://p", "noProxy": ["a"]}
    assert head["security"] == {"tls": {"certificateAuthorities": [{"source": "https://ca"}]}}


def test_proxies_need_a_version_that_knows_them() -> None:
    with pytest.raises(InvalidConfiguration, match=r"from version 3\.1 on"):
        ignition.pointer("s3://b/k", wanted(version="2.3", proxy={"httpProxy": "http://p"}))


def test_data_that_is_user_data_keeps_what_it_says() -> None:
    data = json.dumps({"ignition": {"version": "3.2.0", "config": {}}, "storage": {}}).encode()
    assert ignition.with_settings(data, wanted()) is data
    made = json.loads(ignition.with_settings(data, wanted(proxy={"httpProxy": "http://p"})))
    assert made["ignition"] == {"version": "3.2.0", "config": {}, "proxy": {"httpProxy": "http://p"}}
    assert made["storage"] == {}


def test_what_is_no_json_is_said_without_showing_it() -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        ignition.with_settings(b"secret token", wanted(proxy={"httpProxy": "http://p"}))
    assert "secret" not in str(raised.value)
