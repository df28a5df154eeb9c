"""The form of a remote catalog item, as made from a specification."""

import json
from dataclasses import replace

import pytest

from provider.domain.catalog import (
    Characteristic,
    CharacteristicType,
    Child,
    Option,
    ServiceType,
    Specification,
    SpecificationKind,
    build_form,
    generates_remote_record_producer,
)
from provider.domain.errors import InvalidFields

MODEL = Characteristic(
    "model", "Model", CharacteristicType.CHOICE, (Option("s", "Small"), Option("l", "Large")), True, "s"
)
TAGS = Characteristic("tags", "Tags", CharacteristicType.TEXT, description="For your own search")
EDGE = Specification("spec-edge", "Edge Device", "1", SpecificationKind.PRODUCT, characteristics=(MODEL,))
PACKAGE = Specification(
    "spec-package",
    "SD-WAN Package",
    "1",
    SpecificationKind.PRODUCT,
    characteristics=(TAGS,),
    children=(Child("edge", EDGE, mandatory=False, default_selected=False, min_quantity=1, max_quantity=5),),
)


def flaws(specification):
    with pytest.raises(InvalidFields) as refused:
        build_form(specification)
    return [(error.pointer, error.code) for error in refused.value.errors]


def test_a_composite_specification_becomes_variables_and_parts():
    assert build_form(PACKAGE) == {
        "variables": [
            {
                "key": "tags",
                "label": "Tags",
                "type": "text",
                "options": [],
                "mandatory": False,
                "default": None,
                "min_cardinality": 0,
                "max_cardinality": None,
                "description": "For your own search",
            }
        ],
        "parts": [
            {
                "key": "edge",
                "name": "Edge Device",
                "mandatory": False,
                "default_selected": False,
                "min_quantity": 1,
                "max_quantity": 5,
                "variables": [
                    {
                        "key": "model",
                        "label": "Model",
                        "type": "choice",
                        "options": [{"value": "s", "label": "Small"}, {"value": "l", "label": "Large"}],
                        "mandatory": True,
                        "default": "s",
                        "min_cardinality": 0,
                        "max_cardinality": None,
                        "description": "",
                    }
                ],
                "parts": [],
            }
        ],
    }


def test_a_form_survives_json_unchanged():
    several = replace(MODEL, key="several", type=CharacteristicType.MULTIPLE_CHOICE, default=("s", "l"))
    form = build_form(replace(EDGE, characteristics=(MODEL, several)))
    assert json.loads(json.dumps(form)) == form


def test_parts_nest_as_deep_as_specifications_do():
    site = Specification("spec-site", "Site", "1", SpecificationKind.PRODUCT, children=(Child("package", PACKAGE),))
    assert build_form(site)["parts"][0]["parts"][0]["key"] == "edge"


def test_the_same_specification_may_be_two_parts():
    twice = replace(PACKAGE, children=(Child("main", EDGE), Child("spare", EDGE)))
    assert [part["key"] for part in build_form(twice)["parts"]] == ["main", "spare"]


def test_a_mandatory_part_is_selected_by_default():
    form = build_form(replace(PACKAGE, children=(Child("edge", EDGE, mandatory=True, default_selected=False),)))
    assert form["parts"][0]["default_selected"] is True


def test_a_specification_that_contains_itself_is_refused_with_the_way_round():
    inner = replace(EDGE, children=(Child("again", PACKAGE),))
    outer = replace(PACKAGE, children=(Child("edge", inner),))
    assert flaws(outer) == [("/children/0/specification/children/0/specification", "cycle")]
    with pytest.raises(InvalidFields, match="SD-WAN Package > Edge Device > SD-WAN Package"):
        build_form(outer)


@pytest.mark.parametrize(
    ("specification", "flaw"),
    [
        (replace(EDGE, characteristics=(MODEL, MODEL)), ("/characteristics/1/key", "duplicate")),
        (replace(EDGE, children=(Child("a", PACKAGE), Child("a", PACKAGE))), ("/children/1/key", "duplicate")),
        (replace(EDGE, characteristics=(replace(MODEL, options=()),)), ("/characteristics/0/options", "required")),
        (
            replace(EDGE, characteristics=(replace(TAGS, options=MODEL.options),)),
            ("/characteristics/0/options", "not_allowed"),
        ),
        (
            replace(EDGE, characteristics=(replace(MODEL, options=MODEL.options * 2),)),
            ("/characteristics/0/options/2/value", "duplicate"),
        ),
        (
            replace(EDGE, characteristics=(replace(MODEL, min_cardinality=2, max_cardinality=1),)),
            ("/characteristics/0/max_cardinality", "range"),
        ),
        (
            replace(EDGE, children=(Child("a", PACKAGE, min_quantity=3, max_quantity=2),)),
            ("/children/0/max_quantity", "range"),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_form_that_nobody_could_answer_is_refused(specification, flaw):
    assert flaw in flaws(specification)


CHANNEL = "service_exchange"


@pytest.mark.parametrize(
    ("facts", "generated"),
    [
        ({"channels": [CHANNEL], "sellable": True}, True),
        ({"channels": ["web", CHANNEL], "sellable": True}, True),
        ({"channels": [CHANNEL], "sellable": False}, False),
        ({"channels": ["web"], "sellable": True}, False),
        ({"channels": [], "sellable": True}, False),
        ({"channels": [CHANNEL], "service_type": ServiceType.CUSTOMER_FACING}, True),
        ({"channels": [CHANNEL], "service_type": ServiceType.RESOURCE_FACING}, False),
        ({"channels": [CHANNEL], "service_type": ServiceType.NOT_APPLICABLE}, False),
        ({"channels": ["web"], "service_type": ServiceType.CUSTOMER_FACING}, False),
        ({"channels": [CHANNEL]}, False),
    ],
)
def test_only_sellable_offerings_and_customer_facing_services_of_the_channel_become_remote_items(facts, generated):
    assert generates_remote_record_producer(**facts) is generated
