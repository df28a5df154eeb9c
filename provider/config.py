"""What a provider instance is told by its environment."""

from dataclasses import dataclass, field, fields
from pathlib import Path

from environs import Env, validate

import mappings
from bridge.config import InstanceConfig, deferred, read_instance_config, seal
from provider.domain.entitlements import RemovalLimits
from provider.domain.scratchpads import KEPT


@dataclass(frozen=True, slots=True)
class ProviderConfig(InstanceConfig):
    mappings_dir: Path
    """Where the translation tables are; those of the package unless told otherwise."""
    removal_limits: RemovalLimits = field(default_factory=RemovalLimits, kw_only=True)
    """How many entitlements may be lost within a day before a person is asked."""
    scratchpad_days: float = field(default=KEPT.days, kw_only=True)
    """How long the scratchpad of a provider task stays after the task is over."""


def read_config() -> ProviderConfig:
    """Raises ConfigurationInvalid that names every wrong setting."""
    env = deferred()
    shared = read_instance_config(env)
    mappings_dir = env.path("SXG_MAPPINGS_DIR", default=Path(mappings.__file__).parent)
    removal_limits = _read_removal_limits(env)
    scratchpad_days = env.float("SXG_SCRATCHPAD_DAYS", default=KEPT.days, validate=validate.Range(min=0, max=3650))
    seal(env)
    return ProviderConfig(
        **{one.name: getattr(shared, one.name) for one in fields(InstanceConfig)},
        mappings_dir=mappings_dir,
        removal_limits=removal_limits,
        scratchpad_days=scratchpad_days,
    )


def _read_removal_limits(env: Env) -> RemovalLimits:
    usual = RemovalLimits()
    number = env.int("SXG_REMOVALS_LIMIT", default=usual.number, validate=validate.Range(min=0, max=10**6))
    share = env.float("SXG_REMOVALS_SHARE", default=usual.share, validate=validate.Range(min=0, max=1))
    return RemovalLimits(number=number, share=share)
