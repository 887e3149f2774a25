"""A bacterial promoter as what it is: two boxes at a distance, and a strength that adds up over places.

RNA polymerase's sigma factor binds the -35 box and the -10 box, some 17 bases apart, and the bonds' energies add up; a
stretch of DNA drives expression by the sum over all places at which it may be bound (thermodynamic models of
transcription: Berg and von Hippel 1987, https://doi.org/10.1016/0022-2836(87)90354-8; Brewster et al. 2012,
https://doi.org/10.1371/journal.pcbi.1002811). So each of the network's ``pairs`` has two linear filters, a preference
for distances and one for places in the window; exponentials of the filters' sums are added over distances and places,
and the logarithms of the sums go through a small dense layer, beside the composition of the window. Half of the pairs
begin as the sigma-70 consensus: with a few thousand examples, the network then need not find what is known since 1983.

It is convolutional throughout: on a longer sequence it gives what each of its windows gives alone, sums shared.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CONSENSUS_35, CONSENSUS_10 = "TTGACA", "TATAAT"
SHARES_35 = (0.82, 0.84, 0.78, 0.65, 0.54, 0.45)
SHARES_10 = (0.80, 0.95, 0.45, 0.60, 0.50, 0.96)
"""Shares of promoters with the consensus base: after Hawley and McClure 1983 (Nucleic Acids Res. 11:2237)."""
SPACERS = (14, 15, 16, 17, 18, 19, 20, 21)
"""Bases between the two boxes."""
SPACER_LOGS = (-3.0, -2.0, -0.7, 0.0, -0.5, -1.5, -2.5, -3.5)
"""How much rarer than 17 bases, about: natural logarithms."""
TO_START = 12
"""Bases from the first of the -10 box, at -12, to the transcription start, at +1."""
BOX, FLANK = 6, 8
FILTER = FLANK + BOX + FLANK
_FIRST = SPACERS[0] + BOX
FIRST_START = _FIRST + len(SPACERS) - 1 + FLANK + TO_START
_COMPOSITION, _COMPOSITION_WIDTH = 15, 8
_SMALLEST = 1e-12
_LARGEST_LOG = 30.0


def log_odds(consensus: str, shares: tuple[float, ...]) -> Tensor:
    """float32 (4, bases): natural log of each base's share over a quarter; the other three bases share what is left."""
    rows = [[share if base == letter else (1 - share) / 3 for base in "ACGT"] for letter, share in
            zip(consensus, shares, strict=True)]  # fmt: skip
    return torch.log(4 * torch.tensor(rows)).T


class PromoterNet(nn.Module):
    """One-hot float32 (batch, 4, bases) to float32 (batch, outputs) of one window, or of longer sequences to (batch,
    windows, outputs): one window each ``step`` bases.

    window: bases; step: 1, 3, 5 or 15; pairs: of filters; hidden: width of the dense layer; noise: standard deviation
    of the fresh filters' weights.
    """

    def __init__(self, outputs: int, window: int, pairs: int, hidden: int, dropout: float, noise: float, step: int):
        super().__init__()
        self.window, self.step = window, step
        self.blocks = nn.ModuleList([nn.Conv1d(4, pairs, FILTER), nn.Conv1d(4, pairs, FILTER)])
        places = window - FILTER + 1 - _FIRST - len(SPACERS) + 1
        self.spacers = nn.Parameter(torch.tensor(SPACER_LOGS).repeat(pairs, 1))
        self.places = nn.Parameter(torch.zeros(pairs, places))
        self.bound = nn.BatchNorm1d(pairs)
        self.composition = nn.Conv1d(4, _COMPOSITION_WIDTH, window // _COMPOSITION, dilation=_COMPOSITION // step)
        self.dense = nn.Sequential(nn.Conv1d(pairs + _COMPOSITION_WIDTH, hidden, 1), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(pairs + _COMPOSITION_WIDTH + hidden, outputs)
        self.known = pairs // 2
        with torch.no_grad():
            for filters, consensus, shares in (
                (self.upstream, CONSENSUS_35, SHARES_35),
                (self.downstream, CONSENSUS_10, SHARES_10),
            ):
                filters.weight.normal_(0, noise)
                filters.bias.zero_()
                filters.weight[: self.known, :, FLANK : FLANK + BOX] += 0.5 * log_odds(consensus, shares)

    @property
    def upstream(self) -> nn.Conv1d:
        """The filters of the -35 box."""
        return self.blocks[0]

    @property
    def downstream(self) -> nn.Conv1d:
        """The filters of the -10 box."""
        return self.blocks[1]

    def forward(self, bases: Tensor) -> Tensor:
        found = self.windows(bases)
        return found[:, 0] if bases.shape[-1] == self.window else found

    def windows(self, bases: Tensor) -> Tensor:
        """float32 (batch, windows, outputs)."""
        return self.strengths(bases, self.bindings(bases))

    def bindings(self, bases: Tensor) -> Tensor:
        """How well each pair fits at each place, float32 (batch, pairs, places): sums over distances of exponentials. A
        place is that of the -35 filter's first base."""
        upstream = self.upstream(bases).clamp(max=_LARGEST_LOG).exp()
        downstream = self.downstream(bases).clamp(max=_LARGEST_LOG).exp()
        at_distance = F.conv1d(downstream, self.spacers.exp()[:, None], groups=len(self.spacers))[..., _FIRST:]
        return upstream[..., : at_distance.shape[-1]] * at_distance

    def strengths(self, bases: Tensor, bindings: Tensor) -> Tensor:
        """float32 (batch, windows, outputs) from what `bindings` gives."""
        sums = F.conv1d(bindings, self.places.exp()[:, None], stride=self.step, groups=len(self.places))
        bound = self.bound(torch.log(sums + _SMALLEST))
        shares = F.avg_pool1d(bases, _COMPOSITION, self.step)
        composition = torch.relu(self.composition(shares))
        features = torch.cat([bound, composition[..., : bound.shape[-1]]], dim=1)
        return self.head(torch.cat([features, self.dense(features)], dim=1).transpose(1, 2))

    def starts(self, bases: Tensor) -> Tensor:
        """How well the pairs that began as sigma-70's fit where transcription would start at base `FIRST_START` and
        after: float32 (batch, bases - FIRST_START - 1), natural logs of sums over distances."""
        upstream = self.upstream(bases)[:, : self.known].clamp(max=_LARGEST_LOG).exp()
        downstream = self.downstream(bases)[:, : self.known].clamp(max=_LARGEST_LOG).exp()
        reversed_spacers = self.spacers[: self.known].flip(-1).exp()[:, None]
        before = F.conv1d(upstream, reversed_spacers, groups=self.known)
        ends = downstream[..., _FIRST + len(SPACERS) - 1 :]
        return torch.log((before[..., : ends.shape[-1]] * ends).sum(dim=1) + _SMALLEST)
