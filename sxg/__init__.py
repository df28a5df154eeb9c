"""The command line, and what stands around the instances: demo, supervisor, embedded servers, compare, bench."""
