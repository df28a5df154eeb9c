"""The provider instance: catalog, orders and inventory, offered to connected consumers."""
