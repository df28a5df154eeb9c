"""What a provider instance is told by its environment."""

from dataclasses import dataclass, fields

from bridge.config import InstanceConfig, deferred, read_instance_config, seal


@dataclass(frozen=True, slots=True)
class ProviderConfig(InstanceConfig):
    """Nothing beyond what every instance needs, so far."""


def read_config() -> ProviderConfig:
    """Raises ConfigurationInvalid that names every wrong setting."""
    env = deferred()
    shared = read_instance_config(env)
    seal(env)
    return ProviderConfig(**{field.name: getattr(shared, field.name) for field in fields(InstanceConfig)})
