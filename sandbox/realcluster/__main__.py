"""`python -m sandbox.realcluster`: hands over to the commands; nothing else happens here."""

from sandbox.realcluster.commands import app

if __name__ == "__main__":
    app(prog_name="python -m sandbox.realcluster")
