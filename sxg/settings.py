"""Are the settings of a process fit to start it? They are read by each side's own `config`; here they are tried out."""

from bridge.config import InstanceConfig, deferred, seal
from bridge.vocabulary import SLOW_DEADLINE_S
from sxg.failures import USAGE, CommandFailed

_LEASE_SPARE_S = 10.0


def read_config(side: str) -> InstanceConfig:
    """The settings of this side. Raises ConfigurationInvalid or CommandFailed, which name every wrong one."""
    if side == "provider":
        from provider.config import read_config as read_provider_config  # noqa: PLC0415 - only one side is loaded

        config: InstanceConfig = read_provider_config()
    else:
        from consumer_sim.config import read_config as read_consumer_config  # noqa: PLC0415

        config = read_consumer_config()
    faults = [*_network_faults(config), *_directory_faults(config)]
    if faults:
        raise CommandFailed(*faults, exit_code=USAGE)
    return config


def check_lease(config: InstanceConfig) -> None:
    """Refuse a lease that can run out while a slow answer is awaited: two workers would send the same events at once.

    Crash tests want leases that end soon; they also set SXG_ALLOW_FAILPOINTS.
    """
    env = deferred()
    is_test = env.bool("SXG_ALLOW_FAILPOINTS", default=False)
    seal(env)
    least_s = SLOW_DEADLINE_S + _LEASE_SPARE_S
    if config.lease_s < least_s and not is_test:
        reason = f"the slowest answer may take {SLOW_DEADLINE_S:g} s, so a lease must last {least_s:g} s or longer"
        raise CommandFailed(f"setting SXG_LEASE_S: {reason}", exit_code=USAGE)


def _network_faults(config: InstanceConfig) -> list[str]:
    from bridge.egress import AddressGuard  # noqa: PLC0415 - loads requests

    try:
        AddressGuard(config.egress_allow)
    except ValueError as error:
        return [f"setting SXG_EGRESS_ALLOW: {error}"]
    return []


def _directory_faults(config: InstanceConfig) -> list[str]:
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return [f"setting SXG_DATA_DIR: {config.data_dir}: {error.strerror}"]
    return []
