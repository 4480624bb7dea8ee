"""User data of Amazon Linux 2023: a NodeConfig that nodeadm joins by, commands before it, and a cloud-config.

nodeadm reads its own part and no other; cloud-init runs the others, and is done before nodeadm joins.
"""

from __future__ import annotations

from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.rendering import cloudconfig, mime, yaml
from capipool.providers.aws.eks.rendering.boot import Boot
from capipool.providers.aws.eks.rendering.mime import Part

_SHELL = "#!/bin/bash\nset -o errexit\nset -o pipefail\nset -o nounset\n"


def render(boot: Boot) -> bytes:
    """The whole user data."""
    parts = [Part(type="application/node.eks.aws", content=yaml.document(node_config(boot)))]
    if commands := boot.spec.get("preNodeadmCommands"):
        script = _SHELL + "".join(f"{command}\n" for command in commands)
        parts.insert(0, Part(type='text/x-shellscript; charset="utf-8"', content=script, name="commands.sh"))
    if config := cloudconfig.config(boot):
        text = cloudconfig.HEADER + yaml.document(config)
        parts.append(Part(type='text/cloud-config; charset="utf-8"', content=text, name="cloud-config.yaml"))
    return mime.multipart(parts)


def node_config(boot: Boot) -> Raw:
    """The NodeConfig: the cluster's coordinates, and what the spec says of kubelet, containerd and feature gates."""
    cluster, spec = boot.cluster, boot.spec
    made: Raw = {
        "cluster": {
            "name": cluster.name,
            "apiServerEndpoint": cluster.endpoint,
            "certificateAuthority": cluster.authority,
            "cidr": cluster.service_cidr,
        },
        "featureGates": dict(sorted((spec.get("featureGates") or {}).items())),
        "kubelet": _given(spec.get("kubelet") or {}, "config", "flags"),
        "containerd": _given(spec.get("containerd") or {}, "config", "baseRuntimeSpec"),
    }
    kept = {key: value for key, value in made.items() if value}
    return {"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": kept}


def _given(source: Raw, *names: str) -> Raw:
    return {name: source[name] for name in names if source.get(name)}
