"""What a provider instance is told by its environment."""

from dataclasses import dataclass, fields
from pathlib import Path

import mappings
from bridge.config import InstanceConfig, deferred, read_instance_config, seal


@dataclass(frozen=True, slots=True)
class ProviderConfig(InstanceConfig):
    mappings_dir: Path
    """Where the translation tables are; those of the package unless told otherwise."""


def read_config() -> ProviderConfig:
    """Raises ConfigurationInvalid that names every wrong setting."""
    env = deferred()
    shared = read_instance_config(env)
    mappings_dir = env.path("SXG_MAPPINGS_DIR", default=Path(mappings.__file__).parent)
    seal(env)
    return ProviderConfig(
        **{field.name: getattr(shared, field.name) for field in fields(InstanceConfig)}, mappings_dir=mappings_dir
    )
