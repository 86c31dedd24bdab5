"""`python -m proxyweb` is the `proxyweb` command."""

from proxyweb.cli import main

main(prog_name="proxyweb")
