"""One order's way, from the catalog to the consumer's inventory, told while it happens."""
