"""What a consumer instance is told by its environment."""

from dataclasses import dataclass, fields

from environs import validate

from bridge.config import InstanceConfig, deferred, read_instance_config, seal


@dataclass(frozen=True, slots=True)
class ConsumerConfig(InstanceConfig):
    api_token: str
    """Whoever has it may do everything that people do here."""


def read_config() -> ConsumerConfig:
    """Raises ConfigurationInvalid that names every wrong setting."""
    env = deferred()
    shared = read_instance_config(env)
    api_token = env.str("SXG_API_TOKEN", validate=validate.Length(min=16, max=512))
    seal(env)
    return ConsumerConfig(
        **{field.name: getattr(shared, field.name) for field in fields(InstanceConfig)}, api_token=api_token
    )
