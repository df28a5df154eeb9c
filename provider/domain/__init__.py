"""The rules, as data and pure functions: state tables, frozen values. Standard library only, no clock, no I/O."""
