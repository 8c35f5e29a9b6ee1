"""`python -m cauce`."""

from cauce.cli.main import main

if __name__ == "__main__":
    main()
