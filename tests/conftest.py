"""Hypothesis profiles of the whole suite, and the helpers of tests/kit.py as an importable module."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
_PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]

# The default run is quick and repeatable; `KFIMAGE_EXAMPLES=5000` is the soak, which looks elsewhere each time.
settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=_QUIET, phases=_PHASES)
_WANTED = os.environ.get("KFIMAGE_EXAMPLES")
if _WANTED:
    settings.register_profile("soak", max_examples=int(_WANTED), deadline=None, suppress_health_check=_QUIET, print_blob=True, phases=_PHASES)
settings.load_profile("soak" if _WANTED else "quick")
