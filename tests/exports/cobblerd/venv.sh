#!/bin/bash
# venv.sh DIR: a virtual environment with the real Cobbler 3.3.10, for tests/exports/test_cobblerd.py (KFIMAGE_COBBLER=DIR).
# --no-deps: the declared mod_wsgi and python-ldap need Apache's and OpenLDAP's headers, and cobblerd imports neither.
set -euo pipefail
python3 -m venv "$1"
"$1/bin/pip" install --quiet 'setuptools<70' wheel 'CT3==3.4.0.post5' 'jinja2>=3.1' netaddr dnspython pymongo requests pyyaml distro file-magic schema
"$1/bin/pip" install --quiet --no-deps cobbler==3.3.10
