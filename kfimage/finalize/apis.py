"""What Kubernetes itself serves: built-in kinds with their plural and scope, and in which minor version an API came and went.

Source of the versions: Kubernetes' deprecated API migration guide.
"""

from __future__ import annotations

from typing import NamedTuple, Optional


class Resource(NamedTuple):
    """How a kind appears in a URL."""

    plural: str
    namespaced: bool


class Served(NamedTuple):
    """The minor versions of Kubernetes 1 that serve an API: from `since` up to, not including, `gone`."""

    since: int = 0
    gone: int = 999
    instead: str = ""


_NAMESPACED = """
v1: configmaps ConfigMap, endpoints Endpoints, events Event, limitranges LimitRange, persistentvolumeclaims PersistentVolumeClaim, pods Pod,
 podtemplates PodTemplate, replicationcontrollers ReplicationController, resourcequotas ResourceQuota, secrets Secret, serviceaccounts ServiceAccount,
 services Service
apps: controllerrevisions ControllerRevision, daemonsets DaemonSet, deployments Deployment, replicasets ReplicaSet, statefulsets StatefulSet
autoscaling: horizontalpodautoscalers HorizontalPodAutoscaler
batch: cronjobs CronJob, jobs Job
coordination.k8s.io: leases Lease
discovery.k8s.io: endpointslices EndpointSlice
events.k8s.io: events Event
extensions: daemonsets DaemonSet, deployments Deployment, ingresses Ingress, networkpolicies NetworkPolicy, replicasets ReplicaSet
networking.k8s.io: ingresses Ingress, networkpolicies NetworkPolicy
policy: poddisruptionbudgets PodDisruptionBudget
rbac.authorization.k8s.io: rolebindings RoleBinding, roles Role
storage.k8s.io: csistoragecapacities CSIStorageCapacity
"""
_CLUSTER = """
v1: namespaces Namespace, nodes Node, persistentvolumes PersistentVolume
admissionregistration.k8s.io: mutatingwebhookconfigurations MutatingWebhookConfiguration, validatingadmissionpolicies ValidatingAdmissionPolicy,
 validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding, validatingwebhookconfigurations ValidatingWebhookConfiguration
apiextensions.k8s.io: customresourcedefinitions CustomResourceDefinition
apiregistration.k8s.io: apiservices APIService
certificates.k8s.io: certificatesigningrequests CertificateSigningRequest
flowcontrol.apiserver.k8s.io: flowschemas FlowSchema, prioritylevelconfigurations PriorityLevelConfiguration
networking.k8s.io: ingressclasses IngressClass
node.k8s.io: runtimeclasses RuntimeClass
policy: podsecuritypolicies PodSecurityPolicy
extensions: podsecuritypolicies PodSecurityPolicy
rbac.authorization.k8s.io: clusterrolebindings ClusterRoleBinding, clusterroles ClusterRole
scheduling.k8s.io: priorityclasses PriorityClass
storage.k8s.io: csidrivers CSIDriver, csinodes CSINode, storageclasses StorageClass, volumeattachments VolumeAttachment
"""


def _read(table: str, namespaced: bool) -> dict[tuple[str, str], Resource]:
    found = {}
    for line in table.strip().replace("\n ", " ").splitlines():
        group, _, kinds = line.partition(": ")
        for entry in kinds.split(", "):
            plural, kind = entry.split()
            found["" if group == "v1" else group, kind] = Resource(plural, namespaced)
    return found


BUILTIN = {**_read(_NAMESPACED, True), **_read(_CLUSTER, False)}
"""Built-in kinds by group and kind."""

_V1 = "the v1 of the same group"
_VERSIONS: dict[tuple[str, str], Served] = {
    ("extensions/v1beta1", ""): Served(gone=16, instead="apps/v1, networking.k8s.io/v1 or policy/v1"),
    ("extensions/v1beta1", "Ingress"): Served(gone=22, instead="networking.k8s.io/v1"),
    ("apps/v1beta1", ""): Served(gone=16, instead="apps/v1"),
    ("apps/v1beta2", ""): Served(gone=16, instead="apps/v1"),
    ("networking.k8s.io/v1beta1", ""): Served(gone=22, instead=_V1),
    ("networking.k8s.io/v1", "Ingress"): Served(since=19),
    ("networking.k8s.io/v1", "IngressClass"): Served(since=19),
    ("policy/v1", ""): Served(since=21),
    ("policy/v1beta1", "PodDisruptionBudget"): Served(gone=25, instead="policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy"): Served(gone=25, instead="Pod Security admission labels of the namespace"),
    ("batch/v1beta1", ""): Served(gone=25, instead="batch/v1"),
    ("batch/v1", "CronJob"): Served(since=21),
    ("autoscaling/v2beta1", ""): Served(gone=25, instead="autoscaling/v2"),
    ("autoscaling/v2beta2", ""): Served(gone=26, instead="autoscaling/v2"),
    ("autoscaling/v2", ""): Served(since=23),
    ("admissionregistration.k8s.io/v1beta1", ""): Served(gone=22, instead=_V1),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): Served(since=30),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): Served(since=30),
    ("apiextensions.k8s.io/v1beta1", ""): Served(gone=22, instead=_V1),
    ("apiregistration.k8s.io/v1beta1", ""): Served(gone=22, instead=_V1),
    ("certificates.k8s.io/v1beta1", ""): Served(gone=22, instead=_V1),
    ("certificates.k8s.io/v1", ""): Served(since=19),
    ("coordination.k8s.io/v1beta1", ""): Served(gone=22, instead=_V1),
    ("discovery.k8s.io/v1beta1", ""): Served(gone=25, instead=_V1),
    ("discovery.k8s.io/v1", ""): Served(since=21),
    ("events.k8s.io/v1beta1", ""): Served(gone=25, instead=_V1),
    ("events.k8s.io/v1", ""): Served(since=19),
    ("flowcontrol.apiserver.k8s.io/v1beta1", ""): Served(gone=26, instead=_V1),
    ("flowcontrol.apiserver.k8s.io/v1beta2", ""): Served(gone=29, instead=_V1),
    ("flowcontrol.apiserver.k8s.io/v1beta3", ""): Served(gone=32, instead=_V1),
    ("flowcontrol.apiserver.k8s.io/v1", ""): Served(since=29),
    ("node.k8s.io/v1beta1", ""): Served(gone=25, instead=_V1),
    ("node.k8s.io/v1", ""): Served(since=20),
    ("rbac.authorization.k8s.io/v1beta1", ""): Served(gone=22, instead=_V1),
    ("rbac.authorization.k8s.io/v1alpha1", ""): Served(gone=22, instead=_V1),
    ("scheduling.k8s.io/v1beta1", ""): Served(gone=22, instead=_V1),
    ("scheduling.k8s.io/v1alpha1", ""): Served(gone=22, instead=_V1),
    ("storage.k8s.io/v1beta1", ""): Served(gone=22, instead=_V1),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity"): Served(gone=27, instead=_V1),
    ("storage.k8s.io/v1", "CSIStorageCapacity"): Served(since=24),
}


def group_of(api: str) -> str:
    """'apps' of apps/v1, '' of v1."""
    return api.partition("/")[0] if "/" in api else ""


def builtin(api: str, kind: str) -> Optional[Resource]:
    return BUILTIN.get((group_of(api), kind))


def served(api: str, kind: str) -> Served:
    """When Kubernetes serves a built-in API; always, for one that never came or went within reach."""
    return _VERSIONS.get((api, kind)) or _VERSIONS.get((api, "")) or Served()
