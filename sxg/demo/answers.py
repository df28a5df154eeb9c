"""What the two companies ask for, by the name of the item."""

from collections.abc import Mapping
from typing import Any

Answers = Mapping[str, Any]

SD_WAN = "SD-WAN Package"
INTERNET = "Dedicated Internet Access"
MOBILE = "4G/5G Backup"
SWITCH = "Managed LAN Switch"
WIFI = "Managed Wi-Fi"
BRANCH = "Branch Connect"
INVENTORY = "Manage Inventory"

_BERLIN = {
    "name": "Berlin office", "street": "Torstr. 1", "city": "Berlin", "postal_code": "10119", "country": "DE",
}  # fmt: skip
_HAMBURG = {
    "name": "Hamburg office", "street": "Am Sandtorkai 2", "city": "Hamburg", "postal_code": "20457", "country": "DE",
}  # fmt: skip
_PLANT = {"name": "Springfield plant", "street": "100 Industrial Way", "city": "Springfield", "country": "US"}
_WAREHOUSE = {"name": "Shelbyville warehouse", "street": "7 Dock Road", "city": "Shelbyville", "country": "US"}

# Two packages, each with two edge devices and the security functions.
PACKAGES: Answers = {
    "quantity": 2,
    "characteristics": {"bandwidth": "250", "service_level": "premium"},
    "parts": {
        "controller": {"characteristics": {"admin_email": "ada@acme.example"}},
        "edge": {"quantity": 2, "characteristics": {"model": "M", "high_availability": True}},
        "security": {"selected": True, "characteristics": {"functions": ["firewall", "web_filter"]}},
    },
    "location": _BERLIN,
    "contacts": [{"name": "Ada Lovelace", "email": "ada@acme.example", "phone": None}],
    "requested_on": "2026-12-01",
    "note": "Please deliver before noon",
}

# The second is the first one corrected.
TOO_FAST: Answers = {"characteristics": {"bandwidth": "10000", "ipv4_block": "/28"}, "location": _PLANT}
FAST: Answers = {"characteristics": {"bandwidth": "1000", "ipv4_block": "/28"}, "location": _PLANT}

BACKUP: Answers = {"characteristics": {"data_volume": "200"}, "location": _HAMBURG}
SWITCHES: Answers = {"quantity": 3, "characteristics": {"ports": "48"}, "location": _WAREHOUSE}
# A bundle: an access of a group, two switches, and telephony, which needs the dedicated access.
_TELEPHONY = {"selected": True, "characteristics": {"emergency_address": "7 Dock Road, Shelbyville"}}
UNFIT: Answers = {
    "parts": {"internet": {"selected": False}, "broadband": {"selected": False}, "telephony": _TELEPHONY},
    "location": _WAREHOUSE,
}
BRANCH_SITE: Answers = {"parts": {"switch": {"quantity": 2}, "telephony": _TELEPHONY}, "location": _WAREHOUSE}
WIRELESS: Answers = {
    "characteristics": {"ssid": "acme-hamburg", "floor_area": 900},
    "parts": {"access_point": {"quantity": 4, "characteristics": {"mounting": "wall"}}},
    "location": _HAMBURG,
}

WAY_IN = b"""The way to gate 2
From Torstr. turn into the yard behind the bakery. The loading bay is the second door on the left.
Ring twice. Lorries up to 3.5 t; the barrier opens from 7:00 to 18:00.
"""
VISIT = b"""What our technician brings, and needs
Brings: two routers, an uplink for each, a ladder.
Needs: a rack with two free units, a socket, and somebody who lets him in, for about two hours.
"""
