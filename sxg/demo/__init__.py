"""A day between a provider and two companies that buy from it, told while it happens."""
