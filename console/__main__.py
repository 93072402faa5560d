"""`python -m console` is the `mlc` command."""

from console.main import main

if __name__ == "__main__":
    main()
