"""Paths of the REST API, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.apiserver.http import paths
from capipool.apiserver.http.paths import Document, Place
from capipool.machinery.errors import BadRequest
from capipool.machinery.resource import Resource


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/api/v1/pods", Place("", "", "v1", "pods")),
        ("/api/v1/pods/", Place("", "", "v1", "pods")),
        ("/api/v1/namespaces", Place("", "", "v1", "namespaces")),
        ("/api/v1/namespaces/a", Place("", "", "v1", "namespaces", "", "a")),
        ("/api/v1/namespaces/a/status", Place("", "", "v1", "namespaces", "", "a", "status")),
        ("/api/v1/namespaces/a/finalize", Place("", "", "v1", "namespaces", "", "a", "finalize")),
        ("/api/v1/namespaces/a/pods", Place("", "", "v1", "pods", "a")),
        ("/api/v1/namespaces/a/pods/p", Place("", "", "v1", "pods", "a", "p")),
        ("/api/v1/namespaces/a/pods/p/eviction", Place("", "", "v1", "pods", "a", "p", "eviction")),
        ("/api/v1/namespaces/status/pods", Place("", "", "v1", "pods", "status")),
        ("/api/v1/nodes/n/status", Place("", "", "v1", "nodes", "", "n", "status")),
        ("/api/v1/watch/pods", Place("", "", "v1", "pods", watch=True)),
        ("/api/v1/watch/namespaces/a/pods/p", Place("", "", "v1", "pods", "a", "p", watch=True)),
        ("/apis/apps/v1/namespaces/a/deployments/d/scale", Place("", "apps", "v1", "deployments", "a", "d", "scale")),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax",
         Place("", "rbac.authorization.k8s.io", "v1", "clusterroles", "", "system:x")),
        ("/workload/default/one/api/v1/nodes/n", Place("default/one", "", "v1", "nodes", "", "n")),
        ("/workload/default/one/apis", Document("default/one", "/apis")),
        ("/workload/default/one", Document("default/one", "/")),
        ("/workload/default", Document("", "/workload/default")),
        ("/", Document("", "/")),
        ("/api", Document("", "/api")),
        ("/api/v1", Document("", "/api/v1")),
        ("/apis/apps", Document("", "/apis/apps")),
        ("/apis/apps/v1", Document("", "/apis/apps/v1")),
        ("/openapi/v3/apis/apps/v1", Document("", "/openapi/v3/apis/apps/v1")),
        ("/api/v1/namespaces/a/pods/p/a/b", Document("", "/api/v1/namespaces/a/pods/p/a/b")),
        ("/api/v1/namespaces//pods", Document("", "/api/v1/namespaces//pods")),
    ],
)  # fmt: skip
def test_a_path_says_what_it_addresses(path: str, place: Place | Document) -> None:
    assert paths.parse(path) == place


NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@given(group=st.sampled_from(["", "apps"]), namespace=NAMES, name=NAMES, sub=st.sampled_from(["", "status"]))
def test_what_a_client_writes_is_what_the_server_reads(group: str, namespace: str, name: str, sub: str) -> None:
    resource = Resource(group, "v1", "Thing", "things")
    place = Place("", group, "v1", "things", namespace, name, sub)
    assert paths.parse(resource.path(namespace, name, sub)) == place


@given(st.text(alphabet="/ab%2F.?", max_size=40))
def test_any_path_can_be_taken_apart(path: str) -> None:
    assert isinstance(paths.parse("/" + path), Place | Document)


def test_queries_are_read_with_the_first_of_repeated_parameters() -> None:
    assert paths.query(b"") == {}
    assert paths.query(b"a=1&b=x%3Dy&a=2&c=") == {"a": "1", "b": "x=y", "c": ""}
    with pytest.raises(BadRequest):
        paths.query(b"a=%ff")
    with pytest.raises(BadRequest):
        paths.query(b"&".join(b"a%d=1" % i for i in range(200)))
