"""Which states may a product of the inventory take?"""

from provider.domain.states import LabelledState, StateTable


class ProductState(LabelledState):
    """Activation pending is the new side of a move; Change pending also covers an approved disconnect."""

    INSTALLATION_PENDING = "installation_pending", "Installation pending"
    ACTIVATION_PENDING = "activation_pending", "Activation pending"
    ACTIVE = "active", "Active"
    CHANGE_PENDING = "change_pending", "Change pending"
    SUSPENDED = "suspended", "Suspended"
    INACTIVATION_PENDING = "inactivation_pending", "Inactivation pending"
    INACTIVE = "inactive", "Inactive"


_S = ProductState

PRODUCT_MOVES = StateTable(
    "product",
    _S.INSTALLATION_PENDING,
    {
        # Pending to Inactive: the Add was cancelled, nothing was installed.
        _S.INSTALLATION_PENDING: frozenset({_S.ACTIVATION_PENDING, _S.ACTIVE, _S.INACTIVE}),
        _S.ACTIVATION_PENDING: frozenset({_S.ACTIVE, _S.INACTIVE}),
        _S.ACTIVE: frozenset({_S.CHANGE_PENDING, _S.SUSPENDED, _S.INACTIVATION_PENDING}),
        # Done: Active, Suspended or Inactive. Cancelled: back to Active or Suspended.
        _S.CHANGE_PENDING: frozenset({_S.ACTIVE, _S.SUSPENDED, _S.INACTIVATION_PENDING, _S.INACTIVE}),
        _S.SUSPENDED: frozenset({_S.ACTIVE, _S.CHANGE_PENDING, _S.INACTIVATION_PENDING}),
        _S.INACTIVATION_PENDING: frozenset({_S.ACTIVE, _S.SUSPENDED, _S.INACTIVE}),
        _S.INACTIVE: frozenset(),
    },
)
