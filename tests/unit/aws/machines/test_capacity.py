"""What a template says of its nodes, from what EC2 says of an instance type."""

import pytest

from capipool.machinery.objects import Raw
from capipool.providers.aws.machines.capacity import described

PLAIN: Raw = {"VCpuInfo": {"DefaultVCpus": 4}, "MemoryInfo": {"SizeInMiB": 16384}}


@pytest.mark.parametrize(
    ("info", "status"),
    [
        (PLAIN, {"capacity": {"cpu": "4", "memory": "16384Mi"}}),
        (
            PLAIN | {"ProcessorInfo": {"SupportedArchitectures": ["arm64"]}},
            {
                "capacity": {"cpu": "4", "memory": "16384Mi"},
                "nodeInfo": {"architecture": "arm64", "operatingSystem": "linux"},
            },
        ),
        (
            PLAIN | {"ProcessorInfo": {"SupportedArchitectures": ["i386", "x86_64"]}},
            {
                "capacity": {"cpu": "4", "memory": "16384Mi"},
                "nodeInfo": {"architecture": "amd64", "operatingSystem": "linux"},
            },
        ),
        (
            PLAIN | {"GpuInfo": {"Gpus": [{"Manufacturer": "NVIDIA", "Count": 2}, {"Manufacturer": "Habana"}]}},
            {"capacity": {"cpu": "4", "memory": "16384Mi", "nvidia.com/gpu": "2"}},
        ),
    ],
)
def test_a_template_says_what_its_nodes_will_have(info: Raw, status: Raw) -> None:
    assert described(info) == status
