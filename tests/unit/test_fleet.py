"""What only the nodes together show."""

from __future__ import annotations

import kit
import pytest


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ("a: {role: cpu-worker, mac: 52:54:00:00:00:01}\n  b: {role: cpu-worker, mac: 52-54-00-00-00-01}", "b: MAC 52:54:00:00:00:01 is already taken by a (site.yaml:4:30)"),
        ("a: {role: cpu-worker, address: 10.0.0.1/24}\n  b: {role: cpu-worker, address: 10.0.0.1/16}", "b: address 10.0.0.1 is already taken by a"),
        ("a: {role: cpu-worker, address: 'fd00::1/64'}\n  b: {role: cpu-worker, address: 'fd00:0:0::1/64'}", "b: address fd00::1 is already taken by a"),
        ("a: {role: cpu-worker, address: 10.96.0.9/12}", "lies in kubernetes.services"), ("a: {role: cpu-worker, address: 192.168.3.4/24}", "lies in kubernetes.pods"),
        ("a: {role: cpu-worker, network: {domain: x}}\n  a.x: {role: cpu-worker}", "host name a.x is already taken"),
        ("a: {role: cpu-worker, interfaces: {e1: {vlans: {7: {address: 10.0.0.1/24}}}}}\n  b: {role: cpu-worker, address: 10.0.0.1/24}", "b: address 10.0.0.1 is already taken by a"),
        ("a: {role: cpu-worker, kubernetes: {pods: 'fd00::/48'}, address: 'fd00::5/64'}", "lies in kubernetes.pods"),
    ],
)
def test_what_is_taken_twice_or_overlaps_is_told(nodes: str, words: str) -> None:
    errors = kit.problems(kit.HEAD + f"nodes:\n  {nodes}\n")
    assert len(errors) == 1 and words in errors[0], errors


@pytest.mark.parametrize("networks", ["pods: 10.96.0.0/16, services: 10.96.0.0/12", "pods: 10.0.0.0/8, services: 10.96.0.0/12", "pods: 'fd00::/48', services: 'fd00::/108'"])
def test_pods_and_services_must_not_overlap(networks: str) -> None:
    errors = kit.problems(kit.HEAD + f"kubernetes: {{{networks}}}\nnodes: {{n: {{role: cpu-worker}}}}\n")
    assert len(errors) == 1 and "KF1209" in errors[0] and errors[0].startswith("site.yaml:3:"), errors


def test_nodes_that_differ_in_everything_are_right() -> None:
    nodes = "".join(f"  n{i}: {{role: cpu-worker, mac: 52:54:00:00:00:{i:02x}, address: 10.0.0.{i}/24}}\n" for i in range(1, 30))
    assert kit.problems(kit.HEAD + "nodes:\n" + nodes) == []
