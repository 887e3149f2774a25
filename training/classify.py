"""Training a window classifier with transformers' Trainer: a data set and a recipe become a network and measures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from transformers import BertForSequenceClassification, set_seed

from ..scanner.errors import GenoscanError, UsageError
from .classifier_recipe import ClassifierRecipe, KmerBertSettings, classifier_card
from .data.repeat_windows import ORDERS
from .data.simulate import markov_table
from .data.simulated_windows import simulated_windows
from .data.window_dataset import SPLITS, Window, read_description, read_split, split_file
from .data.window_examples import UNKNOWN as UNKNOWN_BASE
from .data.window_examples import Example, Examples, alone, collate, in_genome, tokens_of
from .devices import Device, resolve_device
from .fit import say
from .metrics import count, measures
from .nets.kmer_bert import UNKNOWN, KmerClassifier, build_kmer_bert
from .pretrained.quiet import quiet_transformers
from .recipe import load_recipe
from .supervised.recipe import Fit
from .supervised.session import run_session
from .supervised.trainer import Job, Watch, run_job
from .supervised.ways import Predictor
from .whole_files import whole_folder, write_whole

BEST, TEST = "best", "test.json"

_CHOSEN_BY = "sequences_mcc"
_PREDICTED_TOGETHER = 64


def train_classifier(
    recipe: ClassifierRecipe | str | Path,
    data: str | Path,
    out: str | Path,
    device: Device = "auto",
    threads: int | None = None,
    time_limit: float | None = None,
    log: Callable[[str], None] = say,
) -> dict[str, dict[str, float]]:
    """Train a recipe (or the one in that file or of that bundled name) on a data set into the run folder ``out``.

    The run in ``out``, if there is one, goes on at the very batch where it stopped. After each epoch it is measured on
    the validation split, as sequences by themselves and as windows in their genome; the network of the epoch with the
    highest MCC of the former is kept in best/ and, at the end, measured on the test split: the measures returned, by
    kind of example; empty where the time limit, in minutes, came first. SIGTERM and SIGINT leave at the next step with
    `SystemExit` 143 and 130. A wrong setting, data set or folder raises `GenoscanError` or `UsageError`.
    """
    out, data = Path(out), Path(data)
    if not isinstance(recipe, ClassifierRecipe):
        recipe = load_recipe(recipe, ClassifierRecipe)
    read_description(data)
    windows = {split: read_split(data, split) for split in SPLITS}
    _check(recipe, windows, data)
    digests = [(str(data), _digest(data))]
    train = partial(_train, recipe, windows, out, log)
    if not run_session(recipe, out, digests, train, device, threads, time_limit, "off", log):
        return {}
    measured = _measured(out, _held_out(recipe, windows["test"]), resolve_device(device))
    write_whole(out / TEST, (json.dumps(measured, indent=2) + "\n").encode())
    for kind, one in measured.items():
        log(f"test, {kind}: " + "  ".join(f"{name} {value:.4f}" for name, value in one.items()))
    return measured


def load_classifier(run: str | Path) -> tuple[ClassifierRecipe, KmerClassifier]:
    """The recipe and the best network of a run folder, ready for inference; `GenoscanError` says what is wrong."""
    run = Path(run)
    recipe = load_recipe(run / "recipe.toml", ClassifierRecipe)
    try:
        with quiet_transformers():
            net = BertForSequenceClassification.from_pretrained(str(run / BEST), local_files_only=True)
    except Exception:  # a damaged file ends in one of many errors of several packages
        raise GenoscanError(f"{run / BEST}: not a network of `genoscan train`, or a damaged one") from None
    if net.config.vocab_size != _fresh(recipe.net).config.vocab_size:
        raise GenoscanError(f"{run / BEST}: the network does not fit the recipe beside it")
    return recipe, KmerClassifier(net).eval()


def predict(run: str | Path, sequences: Sequence[np.ndarray], device: Device = "auto") -> np.ndarray:
    """How likely each sequence (uint8 codes) by itself is a repeat, by a run's best network: float32 (sequences,)."""
    recipe, network = load_classifier(run)
    spec, place = classifier_card(recipe).input, resolve_device(device)
    network.to(place)
    scores = np.empty(len(sequences), dtype=np.float32)
    order = sorted(range(len(sequences)), key=lambda number: len(sequences[number]))
    with torch.inference_mode():
        for begin in range(0, len(order), _PREDICTED_TOGETHER):
            chosen = order[begin : begin + _PREDICTED_TOGETHER]
            tokens = torch.from_numpy(tokens_of([sequences[number] for number in chosen], spec)).to(place)
            scores[chosen] = network(tokens).softmax(dim=-1)[:, 1].float().cpu().numpy()
    return scores


def _fresh(settings: KmerBertSettings) -> BertForSequenceClassification:
    return build_kmer_bert(**settings.model_dump(exclude={"kind"}))


def _train(
    recipe: ClassifierRecipe, windows: dict[str, list[Window]], out: Path, log: Callable[[str], None],
    place: torch.device, watch: Watch,
) -> bool:  # fmt: skip
    """Whether the run is finished."""
    set_seed(recipe.seed)
    net, spec = _fresh(recipe.net), classifier_card(recipe).input
    job = Job(
        out=out,
        fit=Fit(**recipe.fit.model_dump(), precision="fp32"),
        seed=recipe.seed,
        model=Predictor(net, tokens=True),
        train=Examples(
            lasting_examples(recipe, windows["train"]),
            spec,
            training=True,
            seed=recipe.seed,
            drawn=simulated_examples(recipe, windows["train"]) if recipe.data.simulated else None,
        ),
        held_out=_held_out(recipe, windows["validation"]),
        collate=partial(collate, UNKNOWN),
        loss=cross_entropy,
        measure=_measures,
        best_by=_CHOSEN_BY,
        keep=lambda: save_network(net, out / BEST),
        log=log,
        watch=watch,
        place=place,
        shown=tuple(f"{kind}_{name}" for kind in ("sequences", "windows") for name in ("accuracy", "mcc")),
    )
    return run_job(job)


def lasting_examples(recipe: ClassifierRecipe, windows: Sequence[Window]) -> list[Example]:
    """What every epoch sees of the training split: a pure function of both."""
    generator = np.random.default_rng((recipe.seed, 1))
    return alone(windows) + in_genome(generator, windows, classifier_card(recipe), recipe.data.in_genome)


def simulated_examples(recipe: ClassifierRecipe, windows: Sequence[Window]) -> Callable[[int], list[Example]]:
    """Those of an epoch, over chains that are fitted on the training split's negatives; no two epochs share one."""
    separator = np.full(1, UNKNOWN_BASE, dtype=np.uint8)
    background = np.concatenate([part for one in windows if one.label == 0 for part in (one.codes, separator)])
    tables = [markov_table(background, order) for order in ORDERS if 4 ** (order + 1) <= len(background) // 4]
    pairs, data = recipe.data.simulated // 2, recipe.data
    sizes = 2 * recipe.net.k, recipe.net.longest

    def drawn(epoch: int) -> list[Example]:
        numbers = range(epoch * pairs, (epoch + 1) * pairs)
        return [
            one
            for pair in numbers
            for one in alone(simulated_windows(recipe.seed, pair, tables, *sizes, 0, data.brief))
        ]

    return drawn


def _held_out(recipe: ClassifierRecipe, windows: Sequence[Window]) -> dict[str, Examples]:
    """Validation or test examples of both kinds."""
    card = classifier_card(recipe)
    kinds = {"sequences": alone(windows), "windows": in_genome(np.random.default_rng((recipe.seed, 2)), windows, card)}
    return {kind: Examples(examples, card.input, training=False) for kind, examples in kinds.items() if examples}


def _measures(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return measures(count(np.argmax(logits, axis=-1) == 1, labels == 1))


def _measured(out: Path, held_out: dict[str, Examples], place: torch.device) -> dict[str, dict[str, float]]:
    """Measures of the run's best network, by kind of example."""
    network = load_classifier(out)[1].to(place)
    found = {}
    for kind, examples in held_out.items():
        loader = DataLoader(examples, batch_size=_PREDICTED_TOGETHER, collate_fn=partial(collate, UNKNOWN))
        with torch.inference_mode():
            logits = [network(batch["inputs"].to(place)).float().cpu().numpy() for batch in loader]
        found[kind] = _measures(np.concatenate(logits), np.array([label for _, label in examples.examples]))
    return found


def _check(recipe: ClassifierRecipe, windows: dict[str, list[Window]], data: Path) -> None:
    for split, rows in windows.items():
        longest = max(len(one.codes) for one in rows)
        if longest > recipe.net.longest:
            raise UsageError(
                f"{split_file(data, split)}: has a sequence of {longest:,} bases, but net.longest of the recipe is "
                f"{recipe.net.longest:,}: make the data set with --max-length {recipe.net.longest} or change the recipe"
            )
        if len({one.label for one in rows}) < 2:
            raise UsageError(f"{split_file(data, split)}: has sequences of one label only: make a larger data set")


def _digest(data: Path) -> str:
    """Of the three tables' bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for split in SPLITS:
        digest.update(split_file(data, split).read_bytes())
    return digest.hexdigest()


def save_network(net: BertForSequenceClassification, folder: Path) -> None:
    """Write a network as `from_pretrained` reads it; what was in the folder is replaced when all is written."""
    with quiet_transformers(), whole_folder(folder) as partial_folder:
        net.save_pretrained(str(partial_folder))
