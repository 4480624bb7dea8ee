"""What admission refuses and warns of, with the path of the field."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.machinery.admission import Admit, Verdict
from capipool.providers.kubeadm import kinds
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig, KubeadmConfigTemplate


def judge(spec: Any, kind: type[Any] = KubeadmConfig, operation: Any = "CREATE") -> Verdict:
    rules = next(r for r in kinds.rules() if r.resource == kind.RESOURCE)
    assert rules.validate is not None
    inner = {"spec": spec} if kind is KubeadmConfig else {"spec": {"template": {"spec": spec}}}
    return rules.validate(Admit(operation=operation, resource=kind.RESOURCE, object=inner))


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"files": [{"path": "/a", "content": "x", "contentFrom": {"secret": {}}}]}, "files[0]"),
        ({"files": [{"path": "/a"}, {"path": "/a"}]}, "files[1].path"),
        ({"users": [{"name": "u", "passwd": "x", "passwdFrom": {"secret": {}}}]}, "users[0]"),
        ({"ignition": {"containerLinuxConfig": {}}, "format": "cloud-config"}, "format"),
        ({"format": "ignition", "bootCommands": ["x"]}, "bootCommands"),
        ({"format": "ignition", "users": [{"name": "u", "inactive": True}]}, "users[0].inactive"),
        ({"format": "ignition", "files": [{"path": "/a", "encoding": "gzip"}]}, "files[0].encoding"),
        (
            {"format": "ignition", "diskSetup": {"partitions": [{"tableType": "mbr"}]}},
            "diskSetup.partitions[0].tableType",
        ),
        (
            {"format": "ignition", "diskSetup": {"filesystems": [{"replaceFS": "x"}]}},
            "diskSetup.filesystems[0].replaceFS",
        ),
        (
            {"diskSetup": {"partitions": [{"diskLayout": [{"percentage": 60}, {"percentage": 60}]}]}},
            "diskSetup.partitions[0].diskLayout",
        ),
        (
            {
                "joinConfiguration": {
                    "discovery": {
                        "file": {"kubeConfig": {"user": {"authProvider": {"name": "x"}, "exec": {"command": "x"}}}}
                    }
                }
            },
            "joinConfiguration.discovery.file.kubeconfig.user",
        ),
    ],
)
def test_what_upstream_refuses_is_refused_at_the_same_path(spec: dict[str, Any], path: str) -> None:
    assert [e.path for e in judge(spec).errors] == [f"spec.{path}"]
    assert [e.path for e in judge(spec, KubeadmConfigTemplate).errors] == [f"spec.template.spec.{path}"]


@pytest.mark.parametrize("spec", [{}, None, {"files": "x", "users": [1], "diskSetup": []}, {"format": "ignition"}])
def test_what_the_schema_judges_is_left_to_it(spec: Any) -> None:
    assert judge(spec).errors == ()


def test_deletion_is_never_refused() -> None:
    assert judge({"files": [{"path": "/a"}, {"path": "/a"}]}, operation="DELETE").errors == ()


def test_a_password_is_not_repeated_in_the_error() -> None:
    (error,) = judge({"users": [{"name": "u", "passwd": "hunter2", "passwdFrom": {"secret": {}}}]}).errors
    assert "hunter2" not in str(error)


def test_what_will_not_be_rendered_is_warned_of() -> None:
    spec = {"format": "ignition", "diskSetup": {"partitions": [{"diskLayout": [{"percentage": 1}]}]}}
    assert "diskLayout" in judge(spec).warnings[0]
    malformed = {"joinConfiguration": {"discovery": {"bootstrapToken": {"token": "x"}}}}
    assert "bootstrapToken.token" in judge(malformed).warnings[0]
