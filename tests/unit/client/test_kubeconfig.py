"""Kubeconfigs: read as kubectl does, and refused with the field that is wrong."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from capipool.client import kubeconfig
from capipool.machinery import codec


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c1", "user": "u1", "namespace": "team"}},
            {"name": "two", "context": {"cluster": "c2", "user": "u2"}},
        ],
        "clusters": [
            {"name": "c1", "cluster": {"server": "https://one:6443/", "certificate-authority-data": b64("CA")}},
            {"name": "c2", "cluster": {"server": "https://two", "insecure-skip-tls-verify": True}},
        ],
        "users": [
            {"name": "u1", "user": {"client-certificate-data": b64("CERT"), "client-key-data": b64("KEY")}},
            {"name": "u2", "user": {"token": "t0ken"}},
        ],
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """The configuration with one field, given as `users.0.user.token`, set or (None) removed."""
    whole = copy.deepcopy(config())
    *way, last = path.split(".")
    part: Any = whole
    for step in way:
        part = part[int(step)] if step.isdecimal() else part[step]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return whole


def test_the_current_context_is_taken_unless_another_is_named() -> None:
    one = kubeconfig.endpoint(config())
    assert (one.server, one.ca, one.cert, one.key, one.namespace) == (
        "https://one:6443",
        b"CA",
        b"CERT",
        b"KEY",
        "team",
    )
    two = kubeconfig.endpoint(config(), context="two")
    assert (two.server, two.token, two.insecure, two.namespace) == ("https://two", "t0ken", True, "")


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("current-context", "three", "current-context: no context is named 'three' (there are: one, two)"),
        ("current-context", None, "current-context: is not set"),
        ("contexts.0.context.cluster", "c9", "contexts[0].context.cluster: no cluster is named 'c9'"),
        ("contexts.0.context.user", "u9", "contexts[0].context.user: no user is named 'u9'"),
        ("contexts.0.context", None, "contexts[0].context: is not set"),
        ("clusters.0.cluster.server", None, "clusters[0].cluster.server: is not set"),
        ("clusters.0.cluster.server", "one:6443", "clusters[0].cluster.server: 'one:6443' is not a URL"),
        ("clusters.0.cluster.server", "https://one:x", "clusters[0].cluster.server: 'https://one:x' is not a URL"),
        ("clusters.0.cluster.certificate-authority-data", "%", "certificate-authority-data: is not valid base64"),
        ("clusters.0.cluster.certificate-authority-data", 7, "is not a string but int"),
        ("clusters", "many", "clusters: is not a list"),
        ("users.0.user.client-key-data", None, "users[0].user.client-key-data: is not set"),
        ("users.0.user.exec", {"command": "aws"}, "users[0].user.exec: runs a program"),
        ("users.0.user.tokenFile", "/var/token", "users[0].user.tokenFile: names a local file"),
        ("users.0.user.auth-provider", {"name": "oidc"}, "users[0].user.auth-provider: runs a program"),
    ],
)
def test_what_is_wrong_is_said_with_source_and_field(path: str, value: Any, complaint: str) -> None:
    with pytest.raises(kubeconfig.KubeconfigError) as caught:
        kubeconfig.endpoint(changed(path, value), source="secret ns/c-kubeconfig")
    assert str(caught.value).startswith("secret ns/c-kubeconfig: ")
    assert complaint in str(caught.value)


def test_errors_and_representations_show_no_secrets() -> None:
    with pytest.raises(kubeconfig.KubeconfigError) as caught:
        kubeconfig.endpoint(changed("users.0.user.client-key-data", "not-base64-but-secret"))
    assert "secret" not in str(caught.value)
    assert "t0ken" not in repr(kubeconfig.endpoint(config(), context="two"))


@pytest.mark.parametrize("text", ["", "---\n", "a: [", "- list", "a: 1\n---\nb: 2\n"])
def test_what_is_no_kubeconfig_at_all_is_refused(text: str) -> None:
    with pytest.raises(kubeconfig.KubeconfigError, match=r"(kubeconfig|the file)"):
        kubeconfig.parse(text, source="the file")


def test_files_are_read_by_the_function_given() -> None:
    files = {"ca.pem": b"CA2"}
    whole = changed("clusters.0.cluster.certificate-authority-data", None)
    whole["clusters"][0]["cluster"]["certificate-authority"] = "ca.pem"
    assert kubeconfig.endpoint(whole, read_file=files.__getitem__).ca == b"CA2"


def test_a_file_that_is_not_there_is_named() -> None:
    def missing(path: str) -> bytes:
        raise FileNotFoundError(2, "No such file or directory", path)

    whole = changed("users.0.user.client-certificate-data", None)
    whole["users"][0]["user"]["client-certificate"] = "/gone/cert.pem"
    with pytest.raises(
        kubeconfig.KubeconfigError, match=r"users\[0\].user.client-certificate: /gone/cert.pem: No such"
    ):
        kubeconfig.endpoint(whole, read_file=missing)


def test_what_is_built_is_read_back() -> None:
    text = kubeconfig.build(
        server="https://127.0.0.1:6443", ca=b"CA", cluster="dev", user="admin", cert=b"C", key=b"K", namespace="n"
    )
    endpoint = kubeconfig.parse(text)
    assert endpoint.context == "admin@dev"
    assert (endpoint.server, endpoint.ca, endpoint.cert, endpoint.key, endpoint.namespace) == (
        "https://127.0.0.1:6443",
        b"CA",
        b"C",
        b"K",
        "n",
    )
    assert kubeconfig.parse(kubeconfig.build(server="https://h", ca=b"", cluster="c", user="u", token="t")).token == "t"


def test_of_several_files_the_first_to_name_a_thing_wins() -> None:
    other = config()
    other["current-context"] = "two"
    other["clusters"][0]["cluster"]["server"] = "https://other"
    other["contexts"].append({"name": "three", "context": {"cluster": "c1", "user": "u2"}})
    merged = kubeconfig.merge([config(), other])
    assert merged["current-context"] == "one"
    three = kubeconfig.endpoint(merged, context="three")
    assert (three.server, three.token) == ("https://one:6443", "t0ken")


def test_a_kubeconfig_is_read_from_yaml() -> None:
    assert kubeconfig.parse(codec.encode_yaml(config())).server == "https://one:6443"
