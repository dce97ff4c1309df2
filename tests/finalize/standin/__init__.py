"""An API server stand-in on loopback, for unmodified kubectl and helm.

Models: discovery, OpenAPI stubs, CRD establishment, namespaces, the annotation limit, server-side apply with field managers and conflicts,
the three other patch types, list and watch, admission by the stored webhook configurations, and a toy controller manager.
Not modelled: schemas, defaulting, account rights, garbage collection. Its counts agree with a real kube-apiserver 1.20.2 on the real
Kubeflow stream: 80 refused in a first client-side pass, 9 in the second.
"""
