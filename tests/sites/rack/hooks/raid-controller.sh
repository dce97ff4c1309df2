#!/bin/bash
# Before the disks are chosen: the controller must show its disks one by one.
set -euo pipefail
modprobe megaraid_sas || true
