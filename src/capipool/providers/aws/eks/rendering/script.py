"""User data of Amazon Linux 2, and of images made like it: a cloud-config that runs the image's own boot script."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.rendering import cloudconfig, yaml
from capipool.providers.aws.eks.rendering.boot import Boot

SCRIPT = "/etc/eks/bootstrap.sh"


def render(boot: Boot) -> bytes:
    """The whole user data."""
    spec = boot.spec
    before, after = (spec.get(f"{when}BootstrapCommands") or () for when in ("pre", "post"))
    config = cloudconfig.config(boot)
    made: Raw = {"write_files": files} if (files := config.pop("write_files", None)) else {}
    made["runcmd"] = [*before, command(boot), *after]
    return (cloudconfig.HEADER + yaml.document(made | config)).encode("ascii")


def command(boot: Boot) -> str:
    """The line of the boot script; each argument is one word to a shell, whatever is in it.

    An override is the user's own command line, and stands as it is. The script finds endpoint and authority itself.
    """
    script = boot.spec.get("boostrapCommandOverride") or SCRIPT
    return " ".join([script, *map(shlex.quote, (boot.cluster.name, *_arguments(boot.spec)))])


def _arguments(spec: Mapping[str, Any]) -> Iterator[str]:
    if extra := spec.get("kubeletExtraArgs"):
        yield from ("--kubelet-extra-args", " ".join(f"--{name}={extra[name]}" for name in sorted(extra)))
    pause = spec.get("pauseContainer") or {}
    ipv6 = spec.get("serviceIPV6Cidr")
    flags = {
        "--container-runtime": spec.get("containerRuntime"),
        "--ip-family": "ipv6" if ipv6 else None,
        "--service-ipv6-cidr": ipv6,
        "--use-max-pods": spec.get("useMaxPods"),
        "--aws-api-retry-attempts": spec.get("apiRetryAttempts"),
        "--pause-container-account": pause.get("accountNumber"),
        "--pause-container-version": pause.get("version"),
        "--dns-cluster-ip": spec.get("dnsClusterIP"),
        "--docker-config-json": spec.get("dockerConfigJson"),
    }
    for flag, value in flags.items():
        if value not in (None, ""):
            yield from (flag, str(value).lower() if isinstance(value, bool) else str(value))
