"""Counts to a number, one step a second, and goes on where it was when Slurm takes its node away."""

import argparse
import time

from cfslurm import Session


def main() -> None:
    """Count."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, required=True)
    number = parser.parse_args().number
    with Session.open("count") as session:
        for step in range(session.get("step", 0), number):
            time.sleep(1)
            session["step"] = step + 1
            session.checkpoint_if_due()
    print(f"counted to {number}")


if __name__ == "__main__":
    main()
