"""Real sequence: hg38 against catalogues of repeats, T2T satellites, and other species, genoscan beside its peers.

    python benchmarks/repeats_real.py --data "$GENOSCAN_DATA" --out benchmarks/results/repeats_real.json

The parts are in repeats_human.py, repeats_satellites.py and repeats_species.py, which also say which sequences the
model has had to do with. The folder of data is the one that the tests marked `data` use.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from repeats_human import human
from repeats_satellites import satellites
from repeats_species import species

from genoscan import __version__
from genoscan.scanner.catalogue import find_model
from genoscan.scanner.inference.session import read_card
from genoscan.scanner.throughput.machine import provenance

PARTS = {"human": human, "satellites": satellites, "species": species}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with genomes/ and repeats/")
    parser.add_argument("--model", default="repeats")
    parser.add_argument("--only", choices=PARTS, help="one part; the others are taken over from OUT")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    version = read_card(find_model(arguments.model)).version
    result: dict = {**provenance(), "genoscan": __version__, "model": version, "seconds": {}}
    if arguments.only and arguments.out.exists():
        result = {**json.loads(arguments.out.read_text()), **{key: result[key] for key in ("genoscan", "model")}}
    for name, part in PARTS.items():
        if arguments.only in (None, name):
            started = time.perf_counter()
            result[name] = part(arguments.data.resolve(), arguments.model)
            result["seconds"][name] = round(time.perf_counter() - started)
            print(f"{name}: {result['seconds'][name]} s", flush=True)
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
