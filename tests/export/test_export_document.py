"""The worked examples of docs/export.md, run as they stand on small checkpoints of the names that they use."""

from pathlib import Path

import checkpoints
import numpy as np
import pytest
import torch
from checkpoints import bases
from command_lines import parse
from commands import invoke
from documents import ROOT, console_lines, fenced, pipeline
from peft import LoraConfig, TaskType, get_peft_model
from torch import nn

import genoscan

DOCUMENT = ROOT / "docs" / "export.md"
SNIPPETS = fenced(DOCUMENT, "python")
COMMANDS = [one.words for line in console_lines(DOCUMENT) for one in pipeline(line) if one.words[0] == "genoscan"]
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks
TISSUES = {number: f"tissue {number}" for number in range(37)} | {37: "liver", 38: "lung"}
SPLICING = {0: "none", 1: "donor", 2: "acceptor"}
KMERS = """
from torch import nn

def build():
    return nn.Sequential(nn.Embedding(5 + 4**6, 4), nn.Flatten(), nn.Linear(4 * 509, 1))
"""


def long_nt(folder, **config):
    return checkpoints.nucleotide_transformer(folder, max_position_embeddings=1002, **config)


def lora(folder):
    base = long_nt(folder.parent / "base")
    net = checkpoints.ESM["sequence"].from_pretrained(base)
    settings = LoraConfig(task_type=TaskType.SEQ_CLS, target_modules=["query", "value"])
    get_peft_model(net, settings).save_pretrained(folder)


def weights(module):
    def save(file):
        torch.save(module().state_dict(), file)

    return save


def cnn():
    (snippet,) = (body for body in SNIPPETS if body.startswith("# my_nets.py"))
    Path("my_nets.py").write_text(snippet)
    names = {}
    exec(snippet, names)
    return names["build"]()


def kmer_net():
    Path("my_kmers.py").write_text(KMERS)
    return nn.Sequential(nn.Embedding(5 + 4**6, 4), nn.Flatten(), nn.Linear(4 * 509, 1))


MAKERS = {
    "my-checkpoint": checkpoints.dnabert2,
    "dnabert6-promoters": lambda folder: checkpoints.dnabert(folder, 6, max_position_embeddings=512),
    "dnabert-promoters": lambda folder: checkpoints.dnabert(folder, max_position_embeddings=512),
    "tissue-bert": lambda folder: checkpoints.dnabert(
        folder, num_labels=39, id2label=TISSUES, max_position_embeddings=150
    ),
    "nt-enhancers": long_nt,
    "agront-strength": lambda folder: long_nt(folder, num_labels=2, problem_type="regression"),
    "nt-splice": lambda folder: long_nt(folder, head="token", num_labels=3, id2label=SPLICING),
    "grover-repeats": lambda folder: checkpoints.grover(folder, max_position_embeddings=512),
    "dnabert2-tf": checkpoints.dnabert2,
    "lora-enhancers": lora,
    "nt-pretrained": lambda folder: long_nt(folder, head=None),
    "cnn.pt": weights(cnn),
    "kmer-net.pt": weights(kmer_net),
    "side-by-side": lambda folder: checkpoints.dnabert(folder, max_position_embeddings=512),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the examples run, one after the other: each finds what those before it have written."""
    place = tmp_path_factory.mktemp("examples")
    (place / "genome.fa").write_text(f">c\n{bases(4000, 1, (700, 701))}\n>d\n{bases(400, 2)}\n")
    return place


@pytest.mark.long
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words)[:60])
def test_examples_run(words, folder, monkeypatch):
    monkeypatch.chdir(folder)
    if "tensorrt" in words:
        parse(words[1:])
        pytest.skip("needs TensorRT")
    if words[1] == "export" and not Path(words[2]).exists():
        MAKERS[words[2]](folder / words[2])
    result = invoke(*words[1:], *(["--device", "cpu", "-t", 1] if words[1] == "scan" else []))
    assert result.exit_code == 0, result.stderr
    if "-o" in words:
        assert Path(words[words.index("-o") + 1]).stat().st_size > 0


@pytest.mark.long
def test_the_embeddings_example_runs(folder, monkeypatch):
    monkeypatch.chdir(folder)
    Path("sequences.txt").write_text("\n".join([bases(600, 1), bases(600, 2, (5, 300)), bases(600, 3)]) + "\n")
    (snippet,) = (body for body in SNIPPETS if "embeddings.onnx" in body)
    names = {}
    exec(snippet, names)
    vectors = names["vectors"]
    assert vectors.shape == (3, 16)
    net = checkpoints.ESM[None].from_pretrained("nt-pretrained").eval()
    for row, sequence in enumerate(names["sequences"]):
        with torch.inference_mode():
            hidden = net(checkpoints.tokens(Path("nt-pretrained"), sequence)).last_hidden_state
        np.testing.assert_allclose(vectors[row], hidden.mean(dim=1)[0], atol=1e-4)
    with pytest.raises(genoscan.GenoscanError, match="sequence 2 has 7 bases"):
        names["model"]([bases(600), "ACGTACG"])
