"""Who may do what."""

import pytest

from provider.domain.roles import ROLES, Permission, Role, allowed, holders

# Columns: the roles in the order of the enum.
# admin exchange_admin catalog_manager order_agent order_manager | fulfilment_agent fulfilment_manager
# fallout_agent fallout_manager process_admin viewer
MATRIX = """
registration.write xx.........
connection.read    xx........x
connection.write   xx.........
catalog.read       xxxxxxxxxxx
catalog.write      x.x........
producer.read      xxx.......x
producer.write     xx.........
order.read         xx.xxxxxxxx
order.approve      x...x.x....
order.write        x..xx.x....
order_task.read    xx.xxxxxxxx
order_task.write   x....xxxx..
case.read          xx.xxxxxxxx
case.write         x..xxxx....
comment.write      x..xxxx.x..
work_note.write    x..xxxxxx..
product.read       xx.xxxxxxxx
delivery.read      xx......x.x
delivery.write     xx.........
user.write         x..........
mapping.read       xx.......xx
mapping.write      xx.......x.
contract.read      xx.xxxxxxxx
contract.write     xx..x......
"""
ROWS = [line.split() for line in MATRIX.strip().splitlines()]


@pytest.mark.parametrize(
    ("permission", "role", "held"),
    [(Permission(name), role, mark == "x") for name, marks in ROWS for role, mark in zip(Role, marks, strict=True)],
)
def test_a_role_may_do_exactly_what_the_matrix_says(permission, role, held):
    assert allowed([role], permission) is held
    assert (role in holders(permission)) is held


def test_the_matrix_covers_every_permission():
    assert {name for name, _ in ROWS} == set(Permission)


@pytest.mark.parametrize(
    ("manager", "agent"),
    [
        ("order_manager", "order_agent"),
        ("fulfilment_manager", "fulfilment_agent"),
        ("fallout_manager", "fallout_agent"),
    ],
)
def test_a_manager_may_do_all_that_the_agent_may(manager, agent):
    assert ROLES[Role(manager)] > ROLES[Role(agent)]


def test_several_roles_add_up():
    assert not allowed(["catalog_manager"], Permission.ORDER_READ)
    assert allowed(["catalog_manager", "viewer"], Permission.ORDER_READ)


@pytest.mark.parametrize("roles", [[], ["nobody"], ["Admin"], ["admin "]])
def test_an_unknown_role_may_do_nothing(roles):
    assert not any(allowed(roles, permission) for permission in Permission)


def test_a_refusal_can_name_whom_to_ask():
    assert holders(Permission.ORDER_APPROVE) == (Role.ADMIN, Role.ORDER_MANAGER, Role.FULFILMENT_MANAGER)


def test_every_permission_has_a_holder_beside_the_admin_except_making_users():
    assert [permission for permission in Permission if len(holders(permission)) == 1] == [Permission.USER_WRITE]
