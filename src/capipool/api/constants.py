"""Names that Cluster API gives to things on the wire: labels, annotations, finalizers, phases, conditions, reasons.

Every room above reads them from here, so that a name is spelt once. They are upstream's, letter by letter; some of
upstream's are of no use to capipool today and stand here so that nobody spells them anew.
"""

from __future__ import annotations

GROUP = "cluster.x-k8s.io"
CONVERSION_DATA_ANNOTATION = "cluster.x-k8s.io/conversion-data"
"""Where a conversion keeps what the other version cannot say."""


class Label:
    """Label keys (and the domains of node labels that are kept in step)."""

    CLUSTER_NAME = "cluster.x-k8s.io/cluster-name"
    CLUSTER_TOPOLOGY_OWNED = "topology.cluster.x-k8s.io/owned"
    CLUSTER_TOPOLOGY_MACHINE_DEPLOYMENT_NAME = "topology.cluster.x-k8s.io/deployment-name"
    CLUSTER_TOPOLOGY_MACHINE_POOL_NAME = "topology.cluster.x-k8s.io/pool-name"
    PROVIDER_NAME = "cluster.x-k8s.io/provider"
    WATCH = "cluster.x-k8s.io/watch-filter"
    INTERRUPTIBLE = "cluster.x-k8s.io/interruptible"
    MACHINE_CONTROL_PLANE = "cluster.x-k8s.io/control-plane"
    MACHINE_SET_NAME = "cluster.x-k8s.io/set-name"
    MACHINE_DEPLOYMENT_NAME = "cluster.x-k8s.io/deployment-name"
    MACHINE_POOL_NAME = "cluster.x-k8s.io/pool-name"
    MACHINE_CONTROL_PLANE_NAME = "cluster.x-k8s.io/control-plane-name"
    NODE_ROLE_PREFIX = "node-role.kubernetes.io"
    NODE_RESTRICTION_DOMAIN = "node-restriction.kubernetes.io"
    MANAGED_NODE_DOMAIN = "node.cluster.x-k8s.io"
    MACHINE_DEPLOYMENT_UNIQUE = "machine-template-hash"
    POD_DRAIN = "cluster.x-k8s.io/drain"


class Annotation:
    """Annotation keys, prefixes and domains."""

    CLUSTER_TOPOLOGY_UPGRADE_STEP = "topology.internal.cluster.x-k8s.io/upgrade-step"
    CLUSTER_TOPOLOGY_HOLD_UPGRADE_SEQUENCE = "topology.cluster.x-k8s.io/hold-upgrade-sequence"
    CLUSTER_TOPOLOGY_DEFER_UPGRADE = "topology.cluster.x-k8s.io/defer-upgrade"
    CLUSTER_TOPOLOGY_UPGRADE_CONCURRENCY = "topology.cluster.x-k8s.io/upgrade-concurrency"
    CLUSTER_TOPOLOGY_UNSAFE_UPDATE_CLASS_NAME = "unsafe.topology.cluster.x-k8s.io/disable-update-class-name-check"
    CLUSTER_TOPOLOGY_UNSAFE_UPDATE_VERSION = "unsafe.topology.cluster.x-k8s.io/disable-update-version-check"
    CLUSTER_NAME = "cluster.x-k8s.io/cluster-name"
    CLUSTER_NAMESPACE = "cluster.x-k8s.io/cluster-namespace"
    MACHINE = "cluster.x-k8s.io/machine"
    OWNER_KIND = "cluster.x-k8s.io/owner-kind"
    LABELS_FROM_MACHINE = "cluster.x-k8s.io/labels-from-machine"
    ANNOTATIONS_FROM_MACHINE = "cluster.x-k8s.io/annotations-from-machine"
    TAINTS_FROM_MACHINE = "cluster.x-k8s.io/taints-from-machine"
    OWNER_NAME = "cluster.x-k8s.io/owner-name"
    PAUSED = "cluster.x-k8s.io/paused"
    DISABLE_MACHINE_CREATE = "cluster.x-k8s.io/disable-machine-create"
    DELETE_MACHINE = "cluster.x-k8s.io/delete-machine"
    TEMPLATE_CLONED_FROM_NAME = "cluster.x-k8s.io/cloned-from-name"
    TEMPLATE_CLONED_FROM_GROUP_KIND = "cluster.x-k8s.io/cloned-from-groupkind"
    MACHINE_SKIP_REMEDIATION = "cluster.x-k8s.io/skip-remediation"
    REMEDIATE_MACHINE = "cluster.x-k8s.io/remediate-machine"
    MACHINE_SET_SKIP_PREFLIGHT_CHECKS = "machineset.cluster.x-k8s.io/skip-preflight-checks"
    MANAGED_BY = "cluster.x-k8s.io/managed-by"
    TOPOLOGY_DRY_RUN = "topology.cluster.x-k8s.io/dry-run"
    REPLICAS_MANAGED_BY = "cluster.x-k8s.io/replicas-managed-by"
    AUTOSCALER_MIN_SIZE = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-min-size"
    AUTOSCALER_MAX_SIZE = "cluster.x-k8s.io/cluster-api-autoscaler-node-group-max-size"
    CRD_MIGRATION_OBSERVED_GENERATION = "crd-migration.cluster.x-k8s.io/observed-generation"
    BEFORE_CLUSTER_UPGRADE_HOOK_PREFIX = "before-upgrade.hook.cluster.cluster.x-k8s.io"
    EXCLUDE_NODE_DRAINING = "machine.cluster.x-k8s.io/exclude-node-draining"
    EXCLUDE_WAIT_FOR_NODE_VOLUME_DETACH = "machine.cluster.x-k8s.io/exclude-wait-for-node-volume-detach"
    PRE_DRAIN_DELETE_HOOK_PREFIX = "pre-drain.delete.hook.machine.cluster.x-k8s.io"
    PRE_TERMINATE_DELETE_HOOK_PREFIX = "pre-terminate.delete.hook.machine.cluster.x-k8s.io"
    MACHINE_CERTIFICATES_EXPIRY_DATE = "machine.cluster.x-k8s.io/certificates-expiry"
    MANAGED_NODE_DOMAIN = "node.cluster.x-k8s.io"
    PENDING_ACKNOWLEDGE_MOVE = "in-place-updates.internal.cluster.x-k8s.io/pending-acknowledge-move"
    UPDATE_IN_PROGRESS = "in-place-updates.internal.cluster.x-k8s.io/update-in-progress"
    REVISION = "machinedeployment.clusters.x-k8s.io/revision"
    DESIRED_REPLICAS = "machinedeployment.clusters.x-k8s.io/desired-replicas"
    MAX_REPLICAS = "machinedeployment.clusters.x-k8s.io/max-replicas"
    MACHINE_SET_MOVE_MACHINES_TO_MACHINE_SET = "in-place-updates.internal.cluster.x-k8s.io/move-machines-to-machineset"
    MACHINE_SET_RECEIVE_MACHINES_FROM_MACHINE_SETS = (
        "in-place-updates.internal.cluster.x-k8s.io/receive-machines-from-machinesets"
    )
    ACKNOWLEDGED_MOVE = "in-place-updates.internal.cluster.x-k8s.io/acknowledged-move"
    REVISION_HISTORY = "machinedeployment.clusters.x-k8s.io/revision-history"


class Finalizer:
    """Finalizers that hold an object until its controller is done."""

    CLUSTER = "cluster.cluster.x-k8s.io"
    MACHINE = "machine.cluster.x-k8s.io"
    MACHINE_DEPLOYMENT_TOPOLOGY = "machinedeployment.topology.cluster.x-k8s.io"
    MACHINE_DEPLOYMENT = "cluster.x-k8s.io/machinedeployment"
    MACHINE_POOL = "machinepool.cluster.x-k8s.io"
    MACHINE_SET_TOPOLOGY = "machineset.topology.cluster.x-k8s.io"
    MACHINE_SET = "cluster.x-k8s.io/machineset"


class TaintKey:
    """Keys of taints on nodes."""

    UNINITIALIZED = "node.cluster.x-k8s.io/uninitialized"
    """Effect `NoSchedule`; nodes join with it, and lose it once their labels are in step."""
    OUTDATED_REVISION = "node.cluster.x-k8s.io/outdated-revision"
    """Effect `PreferNoSchedule`; keeps new pods off nodes that a rollout is about to replace."""


class MachinePoolPhase:
    """Where a pool is in its life."""

    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    PROVISIONED = "Provisioned"
    RUNNING = "Running"
    SCALING_UP = "ScalingUp"
    SCALING_DOWN = "ScalingDown"
    SCALING = "Scaling"
    DELETING = "Deleting"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class MachineDeploymentPhase:
    """Where a deployment is in its life."""

    SCALING_UP = "ScalingUp"
    SCALING_DOWN = "ScalingDown"
    RUNNING = "Running"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class MachinePhase:
    """Where a machine is in its life."""

    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    PROVISIONED = "Provisioned"
    RUNNING = "Running"
    UPDATING = "Updating"
    DELETING = "Deleting"
    DELETED = "Deleted"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class ClusterPhase:
    """Where a cluster is in its life."""

    PENDING = "Pending"
    PROVISIONING = "Provisioning"
    PROVISIONED = "Provisioned"
    DELETING = "Deleting"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class ConditionType:
    """Types of conditions, those of v1beta1 included; the kinds share most of them."""

    AVAILABLE = "Available"
    READY = "Ready"
    BOOTSTRAP_CONFIG_READY = "BootstrapConfigReady"
    INFRASTRUCTURE_READY = "InfrastructureReady"
    MACHINES_READY = "MachinesReady"
    MACHINES_UP_TO_DATE = "MachinesUpToDate"
    ROLLING_OUT = "RollingOut"
    SCALING_UP = "ScalingUp"
    SCALING_DOWN = "ScalingDown"
    REMEDIATING = "Remediating"
    DELETING = "Deleting"
    PAUSED = "Paused"
    UP_TO_DATE = "UpToDate"
    UPDATING = "Updating"
    NODE_HEALTHY = "NodeHealthy"
    NODE_READY = "NodeReady"
    HEALTH_CHECK_SUCCEEDED = "HealthCheckSucceeded"
    OWNER_REMEDIATED = "OwnerRemediated"
    EXTERNALLY_REMEDIATED = "ExternallyRemediated"
    REMEDIATION_ALLOWED = "RemediationAllowed"
    VARIABLES_RECONCILED = "VariablesReconciled"
    CONTROL_PLANE_INITIALIZED = "ControlPlaneInitialized"
    CONTROL_PLANE_READY = "ControlPlaneReady"
    BOOTSTRAP_READY = "BootstrapReady"
    DRAINING_SUCCEEDED = "DrainingSucceeded"
    PRE_DRAIN_DELETE_HOOK_SUCCEEDED = "PreDrainDeleteHookSucceeded"
    PRE_TERMINATE_DELETE_HOOK_SUCCEEDED = "PreTerminateDeleteHookSucceeded"
    VOLUME_DETACH_SUCCEEDED = "VolumeDetachSucceeded"
    EXTERNAL_REMEDIATION_TEMPLATE_AVAILABLE = "ExternalRemediationTemplateAvailable"
    EXTERNAL_REMEDIATION_REQUEST_AVAILABLE = "ExternalRemediationRequestAvailable"
    MACHINE_SET_READY = "MachineSetReady"
    MACHINES_CREATED = "MachinesCreated"
    RESIZED = "Resized"
    TOPOLOGY_RECONCILED = "TopologyReconciled"
    REF_VERSIONS_UP_TO_DATE = "RefVersionsUpToDate"
    REPLICAS_READY = "ReplicasReady"


class Reason:
    """Reasons that conditions give; the kinds share most of them."""

    AVAILABLE = "Available"
    NOT_AVAILABLE = "NotAvailable"
    AVAILABLE_UNKNOWN = "AvailableUnknown"
    READY = "Ready"
    NOT_READY = "NotReady"
    READY_UNKNOWN = "ReadyUnknown"
    UP_TO_DATE = "UpToDate"
    NOT_UP_TO_DATE = "NotUpToDate"
    UP_TO_DATE_UNKNOWN = "UpToDateUnknown"
    ROLLING_OUT = "RollingOut"
    NOT_ROLLING_OUT = "NotRollingOut"
    SCALING_UP = "ScalingUp"
    NOT_SCALING_UP = "NotScalingUp"
    SCALING_DOWN = "ScalingDown"
    NOT_SCALING_DOWN = "NotScalingDown"
    REMEDIATING = "Remediating"
    NOT_REMEDIATING = "NotRemediating"
    NO_REPLICAS = "NoReplicas"
    WAITING_FOR_REPLICAS_SET = "WaitingForReplicasSet"
    INVALID_CONDITION_REPORTED = "InvalidConditionReported"
    INTERNAL_ERROR = "InternalError"
    OBJECT_DOES_NOT_EXIST = "ObjectDoesNotExist"
    OBJECT_DELETED = "ObjectDeleted"
    NOT_PAUSED = "NotPaused"
    PAUSED = "Paused"
    CONNECTION_DOWN = "ConnectionDown"
    NOT_DELETING = "NotDeleting"
    DELETING = "Deleting"
    DELETION_COMPLETED = "DeletionCompleted"
    INSPECTION_FAILED = "InspectionFailed"
    WAITING_FOR_CLUSTER_INFRASTRUCTURE_READY = "WaitingForClusterInfrastructureReady"
    WAITING_FOR_CONTROL_PLANE_INITIALIZED = "WaitingForControlPlaneInitialized"
    WAITING_FOR_BOOTSTRAP_DATA = "WaitingForBootstrapData"
    PROVISIONED = "Provisioned"
    NOT_PROVISIONED = "NotProvisioned"
    WAITING_FOR_AVAILABLE_REPLICAS_SET = "WaitingForAvailableReplicasSet"
    CANNOT_BE_REMEDIATED = "CannotBeRemediated"
    REMEDIATION_DEFERRED = "RemediationDeferred"
    MACHINE_DELETING = "MachineDeleting"
    WAITING_FOR_MIN_READY_SECONDS = "WaitingForMinReadySeconds"
    UPDATING = "Updating"
    NOT_UPDATING = "NotUpdating"
    IN_PLACE_UPDATING = "InPlaceUpdating"
    IN_PLACE_UPDATE_FAILED = "InPlaceUpdateFailed"
    DATA_SECRET_PROVIDED = "DataSecretProvided"
    NODE_READY = "NodeReady"
    NODE_NOT_READY = "NodeNotReady"
    NODE_READY_UNKNOWN = "NodeReadyUnknown"
    NODE_HEALTHY = "NodeHealthy"
    NODE_NOT_HEALTHY = "NodeNotHealthy"
    NODE_HEALTHY_UNKNOWN = "NodeHealthyUnknown"
    NODE_DOES_NOT_EXIST = "NodeDoesNotExist"
    NODE_DELETED = "NodeDeleted"
    HEALTH_CHECK_SUCCEEDED = "HealthCheckSucceeded"
    UNHEALTHY_NODE = "UnhealthyNode"
    UNHEALTHY_MACHINE = "UnhealthyMachine"
    NODE_STARTUP_TIMEOUT = "NodeStartupTimeout"
    HAS_REMEDIATE_ANNOTATION = "HasRemediateAnnotation"
    WAITING_FOR_REMEDIATION = "WaitingForRemediation"
    REMEDIATION_TEMPLATE_NOT_FOUND = "RemediationTemplateNotFound"
    REMEDIATION_REQUEST_CREATION_FAILED = "RemediationRequestCreationFailed"
    WAITING_FOR_PRE_DRAIN_HOOK = "WaitingForPreDrainHook"
    DRAINING_NODE = "DrainingNode"
    WAITING_FOR_VOLUME_DETACH = "WaitingForVolumeDetach"
    WAITING_FOR_PRE_TERMINATE_HOOK = "WaitingForPreTerminateHook"
    WAITING_FOR_INFRASTRUCTURE_DELETION = "WaitingForInfrastructureDeletion"
    WAITING_FOR_BOOTSTRAP_DELETION = "WaitingForBootstrapDeletion"
    DELETING_NODE = "DeletingNode"
    TOO_MANY_UNHEALTHY = "TooManyUnhealthy"
    REMEDIATION_ALLOWED = "RemediationAllowed"
    DELETION_FAILED = "DeletionFailed"
    DELETED = "Deleted"
    INCORRECT_EXTERNAL_REF = "IncorrectExternalRef"
    WAITING_FOR_INFRASTRUCTURE = "WaitingForInfrastructure"
    VARIABLE_DISCOVERY_FAILED = "VariableDiscoveryFailed"
    MISSING_NODE_REF = "MissingNodeRef"
    WAITING_FOR_CONTROL_PLANE_PROVIDER_INITIALIZED = "WaitingForControlPlaneProviderInitialized"
    WAITING_FOR_CONTROL_PLANE = "WaitingForControlPlane"
    WAITING_FOR_CONTROL_PLANE_AVAILABLE = "WaitingForControlPlaneAvailable"
    WAITING_FOR_DATA_SECRET = "WaitingForDataSecret"
    DRAINING = "Draining"
    DRAINING_FAILED = "DrainingFailed"
    WAITING_EXTERNAL_HOOK = "WaitingExternalHook"
    MACHINE_HAS_FAILURE = "MachineHasFailure"
    HAS_REMEDIATE_MACHINE_ANNOTATION = "HasRemediateMachineAnnotation"
    REMEDIATION_FAILED = "RemediationFailed"
    REMEDIATION_IN_PROGRESS = "RemediationInProgress"
    EXTERNAL_REMEDIATION_TEMPLATE_NOT_FOUND = "ExternalRemediationTemplateNotFound"
    EXTERNAL_REMEDIATION_REQUEST_CREATION_FAILED = "ExternalRemediationRequestCreationFailed"
    WAITING_FOR_NODE_REF = "WaitingForNodeRef"
    NODE_PROVISIONING = "NodeProvisioning"
    NODE_NOT_FOUND = "NodeNotFound"
    NODE_CONDITIONS_FAILED = "NodeConditionsFailed"
    NODE_INSPECTION_FAILED = "NodeInspectionFailed"
    WAITING_FOR_MACHINE_SET = "WaitingForMachineSet"
    WAITING_FOR_AVAILABLE_MACHINES = "WaitingForAvailableMachines"
    PREFLIGHT_CHECK_FAILED = "PreflightCheckFailed"
    BOOTSTRAP_TEMPLATE_CLONING_FAILED = "BootstrapTemplateCloningFailed"
    INFRASTRUCTURE_TEMPLATE_CLONING_FAILED = "InfrastructureTemplateCloningFailed"
    MACHINE_CREATION_FAILED = "MachineCreationFailed"
    TOPOLOGY_RECONCILE_FAILED = "TopologyReconcileFailed"
    CLUSTER_CREATING = "ClusterCreating"
    CONTROL_PLANE_UPGRADE_PENDING = "ControlPlaneUpgradePending"
    MACHINE_DEPLOYMENTS_CREATE_PENDING = "MachineDeploymentsCreatePending"
    MACHINE_DEPLOYMENTS_UPGRADE_PENDING = "MachineDeploymentsUpgradePending"
    MACHINE_DEPLOYMENTS_UPGRADE_DEFERRED = "MachineDeploymentsUpgradeDeferred"
    MACHINE_POOLS_UPGRADE_PENDING = "MachinePoolsUpgradePending"
    MACHINE_POOLS_CREATE_PENDING = "MachinePoolsCreatePending"
    MACHINE_POOLS_UPGRADE_DEFERRED = "MachinePoolsUpgradeDeferred"
    LIFECYCLE_HOOK_BLOCKING = "LifecycleHookBlocking"
    CLUSTER_UPGRADING = "ClusterUpgrading"
    CLUSTER_CLASS_NOT_RECONCILED = "ClusterClassNotReconciled"
    OUTDATED_REF_VERSIONS = "OutdatedRefVersions"
    WAITING_FOR_REPLICAS_READY = "WaitingForReplicasReady"


class EventReason:
    """Reasons of events that upstream's tools look for."""

    SUCCESSFUL_SET_NODE_REFS = "SuccessfulSetNodeRefs"
    FAILED_SET_NODE_REF = "FailedSetNodeRef"


INVALID_CONFIGURATION = "InvalidConfiguration"
"""The failure reason of a v1beta1 status for a mistake that only the user can mend."""


class PreflightCheck:
    """What a MachineSet checks before it makes machines."""

    ALL = "All"
    KUBEADM_VERSION_SKEW = "KubeadmVersionSkew"
    KUBERNETES_VERSION_SKEW = "KubernetesVersionSkew"
    CONTROL_PLANE_IS_STABLE = "ControlPlaneIsStable"
    CONTROL_PLANE_VERSION_SKEW = "ControlPlaneVersionSkew"


class TaintPropagation:
    """How long a taint is kept on nodes."""

    ALWAYS = "Always"
    ON_INITIALIZATION = "OnInitialization"


class DrainBehavior:
    """What a drain does with pods."""

    DRAIN = "Drain"
    SKIP = "Skip"
    WAIT_COMPLETED = "WaitCompleted"


class DeletionOrder:
    """Which machine goes first."""

    RANDOM = "Random"
    NEWEST = "Newest"
    OLDEST = "Oldest"


class RolloutStrategyType:
    """How a deployment replaces its machines."""

    ROLLING_UPDATE = "RollingUpdate"
    ON_DELETE = "OnDelete"


class AddressType:
    """Kinds of machine addresses."""

    HOSTNAME = "Hostname"
    EXTERNAL_IP = "ExternalIP"
    INTERNAL_IP = "InternalIP"
    EXTERNAL_DNS = "ExternalDNS"
    INTERNAL_DNS = "InternalDNS"
