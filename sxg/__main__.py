"""`python -m sxg`: the command line under the interpreter that the caller chose."""

from sxg.cli import main

main()
