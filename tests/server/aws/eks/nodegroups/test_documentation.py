"""The page and the example about node groups say what is so."""

from __future__ import annotations

import msgspec

from capipool.machinery import codec, objects
from capipool.machinery.admission import Admit
from capipool.providers.aws.eks import kinds
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool, AWSManagedMachinePoolSpec
from tests.server.aws.cloud import REGION
from tests.server.aws.eks.nodegroups.policy import allowed
from tests.shared import REPOSITORY

PAGE = (REPOSITORY / "docs/eks-nodegroups.md").read_text()
EXAMPLE = (REPOSITORY / "examples/aws-eks-nodegroup.yaml").read_text()
WITHOUT_CALL = {"iam:PassRole", "iam:TagRole", "ec2:RunInstances", "ec2:CreateTags"}
"""What AWS asks for beside the calls themselves."""


def test_the_policy_names_actions_that_exist() -> None:
    import boto3

    there: set[str] = set()
    for service in {action.split(":")[0] for action in allowed()}:
        library = boto3.client(service, region_name=REGION)
        there |= {f"{service}:{api}" for api in library.meta.service_model.operation_names}
    assert allowed() - there <= WITHOUT_CALL


def test_every_field_is_on_the_page() -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(AWSManagedMachinePoolSpec)}
    assert {name for name in fields if f"`{name}" not in PAGE} == set()


def test_the_example_is_one_that_admission_takes_without_a_word() -> None:
    found = list(codec.decode_yaml(EXAMPLE))
    assert [raw["kind"] for raw in found] == [
        *("Cluster", "AWSManagedCluster", "AWSManagedControlPlane"),
        *("MachinePool", "AWSManagedMachinePool", "NodeadmConfig"),
    ]
    raw = next(each for each in found if each["kind"] == "AWSManagedMachinePool")
    assert objects.from_raw(AWSManagedMachinePool, raw).spec.instance_type == "m6i.large"
    rules = next(r for r in kinds.rules() if r.resource.kind == "AWSManagedMachinePool")
    assert rules.validate is not None
    verdict = rules.validate(Admit(operation="CREATE", resource=rules.resource, object=raw, old=None))
    assert (verdict.errors, verdict.warnings) == ((), ())
