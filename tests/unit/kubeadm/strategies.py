"""Generated specs of KubeadmConfigs, as JSON, within what upstream's schema and cloud-init's let pass."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NASTY = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "${#a[@]}",
        "$HOME",
        "$(x)",
        "`x`",
        "'",
        '"',
        "\\",
        "\n",
        "\t",
        "\r\n",
        ": ",
        " #",
        "-",
        "é",
        "日本",
        "😀",
        "\x7f",
        "\x85",
        "\u2028",
        "\ufeff",
        "yes",
        "null",
        "0755",
        "1e3",
        "---",
        "...",
        "|",
        ">",
        "&a",
        "*a",
        "{{ '{' }}",
        "{{.Names}}",
        "{",
        "}",
        " ",
        "  ",
        "@",
        "%",
        "!",
        "[",
        "]",
        ",",
        "?",
    ]
)
text = st.lists(st.one_of(NASTY, st.text(max_size=6)), min_size=1, max_size=8).map("".join).filter(bool)
name = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
path = st.from_regex(r"/[a-zA-Z0-9_./-]{1,30}", fullmatch=True)
device = st.sampled_from(["/dev/sdb", "/dev/nvme1n1", "ephemeral0.1", "/dev/disk/azure/scsi1/lun0"])
permissions = st.sampled_from(["0644", "0o600", "755"])


def _some(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


def files(content: st.SearchStrategy[str] = text) -> st.SearchStrategy[dict[str, Any]]:
    return _some({"path": path}, content=content, owner=name, permissions=permissions, append=st.booleans())


users = _some(
    {"name": name},
    gecos=text,
    groups=text,
    homeDir=path,
    inactive=st.booleans(),
    lockPassword=st.booleans(),
    passwd=text,
    primaryGroup=name,
    shell=path,
    sshAuthorizedKeys=st.lists(text, max_size=3),
    sudo=text,
)
ntp = _some({}, enabled=st.booleans(), servers=st.lists(name, max_size=3, unique=True))
shares = st.lists(
    _some({"percentage": st.integers(1, 25)}, partitionType=st.sampled_from(["Linux", "LinuxSwap", "LinuxExtended"])),
    min_size=1,
    max_size=4,
)
partitions = st.one_of(
    _some(
        {"device": device, "layout": st.booleans()}, overwrite=st.booleans(), tableType=st.sampled_from(["mbr", "gpt"])
    ),
    _some({"device": device, "diskLayout": shares}, tableType=st.sampled_from(["mbr", "gpt"])),
)
filesystems = _some(
    {"device": device, "filesystem": st.sampled_from(["ext4", "xfs"])},
    label=name,
    overwrite=st.booleans(),
    partition=st.sampled_from(["auto", "any", "none"]),
    replaceFS=name,
    extraOpts=st.lists(text, min_size=1, max_size=3),
)
disk_setup = _some({}, partitions=st.lists(partitions, max_size=2), filesystems=st.lists(filesystems, max_size=2))
commands = st.lists(text, min_size=1, max_size=4)
arguments = st.lists(
    st.fixed_dictionaries({"name": name, "value": text}), min_size=1, max_size=3, unique_by=lambda a: a["name"]
)
taints = st.lists(_some({"key": name, "effect": st.just("NoSchedule")}, value=name), max_size=2)
registration = _some(
    {},
    name=text,
    criSocket=path,
    kubeletExtraArgs=arguments,
    taints=taints,
    imagePullPolicy=st.sampled_from(["Always", "IfNotPresent"]),
    imagePullSerial=st.booleans(),
    ignorePreflightErrors=st.lists(name, min_size=1, max_size=2),
).filter(bool)
timeouts = _some(
    {},
    discoverySeconds=st.integers(0, 9999),
    tlsBootstrapSeconds=st.integers(0, 9999),
    controlPlaneComponentHealthCheckSeconds=st.integers(0, 9999),
).filter(bool)
join_configuration = _some(
    {},
    nodeRegistration=registration,
    caCertPath=path,
    skipPhases=st.lists(name, min_size=1, max_size=2),
    patches=st.fixed_dictionaries({"directory": path}),
    timeouts=timeouts,
)
specs = _some(
    {},
    files=st.lists(files(), min_size=1, max_size=3),
    users=st.lists(users, min_size=1, max_size=2),
    ntp=ntp.filter(bool),
    diskSetup=disk_setup.filter(bool),
    mounts=st.lists(st.lists(text, min_size=1, max_size=6), min_size=1, max_size=2),
    bootCommands=commands,
    preKubeadmCommands=commands,
    postKubeadmCommands=commands,
    joinConfiguration=join_configuration.filter(bool),
    verbosity=st.integers(0, 10),
)
