"""Listen, attend and spell with CTC in plain, careful PyTorch: a convolution, two bidirectional LSTMs with a pyramid
between them, and an LSTM decoder with location-aware attention (Chorowski et al. 2015; Watanabe et al. 2017). Parameters
can be those of a folder of `task = "transcribe"`, whose outputs are then the same."""

import dataclasses
import json
import math
import pathlib
import struct
import wave

import numpy
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

UNKNOWN, BOS, EOS, PAD = range(4)
SPECIALS = 4


@dataclasses.dataclass
class Options:
    rate: int = 8000
    bins: int = 40
    convolution: int = 64
    hidden: int = 96  # of each direction
    decoder: int = 128
    attention: int = 64
    embedding: int = 32
    filters: int = 10
    width: int = 15
    dropout: float = 0.3
    ctc: float = 0.5
    smoothing: float = 0.1
    lr: float = 2e-3
    clip: float = 5.0


class FilterBank:
    """Logarithms of energies in mel bands as Kaldi has them, of mean 0 and deviation 1 over the recording."""

    def __init__(self, options):
        rate, self.size, self.shift = options.rate, options.rate // 40, options.rate // 100
        self.window = torch.hann_window(self.size, periodic=False) ** 0.85
        self.points = 2 ** math.ceil(math.log2(self.size))

        def mel(hertz):
            return 1127 * torch.log1p(torch.as_tensor(hertz, dtype=torch.float64) / 700)

        edges = torch.linspace(mel(20.0).item(), mel(rate / 2).item(), options.bins + 2, dtype=torch.float64)
        at = mel(torch.arange(self.points // 2 + 1, dtype=torch.float64) * rate / self.points)[:, None]
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        self.bands = torch.minimum((at - low) / (middle - low), (high - at) / (high - middle)).clamp(min=0).float()

    def __call__(self, samples):
        x = samples.unfold(0, self.size, self.shift)
        x = x - x.mean(1, keepdim=True)
        x = (x - 0.97 * torch.cat([x[:, :1], x[:, :-1]], 1)) * self.window
        x = torch.fft.rfft(x, self.points).abs().square() @ self.bands
        x = x.clamp(min=1.19e-7).log()
        return (x - x.mean(0)) / x.std(0, correction=0).clamp(min=1e-5)


def read_wav(path):
    """Samples of 16 bits, in their own units."""
    with wave.open(str(path), "rb") as f:
        return torch.from_numpy(numpy.frombuffer(f.readframes(f.getnframes()), dtype="<i2").astype("float32"))


class Transcriber(nn.Module):
    def __init__(self, vocabulary, options, packed=True):
        super().__init__()
        o, self.options, self.packed = options, options, packed
        memory = 2 * o.hidden
        self.convolution = nn.Conv1d(o.bins, o.convolution, 3, stride=2, padding=1)
        self.lower = nn.LSTM(o.convolution, o.hidden, batch_first=True, bidirectional=True)
        self.upper = nn.LSTM(2 * memory, o.hidden, batch_first=True, bidirectional=True)
        self.ctc = nn.Linear(memory, vocabulary)
        self.embedding = nn.Embedding(vocabulary, o.embedding)
        self.bridge_h, self.bridge_c = nn.Linear(memory, o.decoder), nn.Linear(memory, o.decoder)
        self.cell = nn.LSTMCell(o.embedding + o.decoder, o.decoder)
        self.query, self.keys = nn.Linear(o.decoder, o.attention, bias=False), nn.Linear(memory, o.attention)
        self.filters = nn.Conv1d(1, o.filters, o.width, padding=o.width // 2, bias=False)
        self.location, self.energy = nn.Linear(o.filters, o.attention, bias=False), nn.Linear(o.attention, 1, bias=False)
        self.readout = nn.Linear(memory + o.decoder, o.decoder)
        self.output = nn.Linear(o.decoder, vocabulary)
        self.drop = nn.Dropout(o.dropout)

    def recurrent(self, layer, x, lengths):
        if not self.packed:  # for measuring speed: the backward direction reads the padding first
            return layer(x)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        states, last = layer(packed)
        return pad_packed_sequence(states, batch_first=True)[0], last

    def encode(self, x, lengths):
        """x [B, T, bins], zeros behind each recording -> memory [B, T / 4, M], its lengths, last states [B, M] each."""
        x = torch.relu(self.convolution(self.drop(x).transpose(1, 2))).transpose(1, 2)
        lengths = (lengths + 1) // 2
        x, _ = self.recurrent(self.lower, self.drop(x), lengths)
        x = nn.functional.pad(x, (0, 0, 0, x.shape[1] % 2))
        x = x.reshape(x.shape[0], x.shape[1] // 2, -1)
        lengths = (lengths + 1) // 2
        x, (h, c) = self.recurrent(self.upper, self.drop(x), lengths)
        return x, lengths, (torch.cat([h[0], h[1]], 1), torch.cat([c[0], c[1]], 1))

    def start(self, memory, lengths, last):
        mask = torch.arange(memory.shape[1]) >= lengths[:, None]
        state = torch.tanh(self.bridge_h(last[0])), torch.tanh(self.bridge_c(last[1]))
        zeros = memory.new_zeros
        return self.keys(memory), mask, state, zeros(memory.shape[0], self.options.decoder), zeros(memory.shape[:2])

    def step(self, embedded, memory, keys, mask, state, feed, weights):
        """One step -> its readout, which the next one reads, the state and the weights."""
        h, c = self.cell(torch.cat([embedded, feed], 1), state)
        around = self.location(self.filters(weights[:, None]).transpose(1, 2))
        energies = self.energy(torch.tanh(self.query(h)[:, None] + keys + around)).squeeze(2)
        weights = torch.softmax(energies.masked_fill(mask, float("-inf")), 1)
        context = torch.bmm(weights[:, None], memory).squeeze(1)
        return self.drop(torch.tanh(self.readout(torch.cat([context, h], 1)))), (h, c), weights

    def loss(self, x, lengths, targets, target_lengths):
        """targets [B, U], PAD behind each; the sum over a batch of both losses by target token."""
        o = self.options
        memory, lengths, last = self.encode(x, lengths)
        keys, mask, state, feed, weights = self.start(memory, lengths, last)
        ends = torch.cat([targets, targets.new_full((len(targets), 1), PAD)], 1)
        ends[torch.arange(len(targets)), target_lengths] = EOS
        begun = torch.cat([targets.new_full((len(targets), 1), BOS), targets], 1)
        embedded, readouts = self.drop(self.embedding(begun)), []
        for u in range(begun.shape[1]):
            feed, state, weights = self.step(embedded[:, u], memory, keys, mask, state, feed, weights)
            readouts.append(feed)
        logits = self.output(torch.stack(readouts, 1))
        written = nn.functional.cross_entropy(logits.flatten(0, 1), ends.flatten(), ignore_index=PAD, reduction="sum",
                                              label_smoothing=o.smoothing)
        heard = nn.functional.ctc_loss(self.ctc(memory).log_softmax(2).transpose(0, 1), targets, lengths, target_lengths,
                                       blank=PAD, reduction="sum", zero_infinity=True)
        return ((1 - o.ctc) * written + o.ctc * heard) / (target_lengths.sum() + len(targets))

    def greedy(self, x, lengths, steps):
        """The likeliest tokens, one by one, `steps` of them and then the end -> [B, steps]."""
        memory, lengths, last = self.encode(x, lengths)
        keys, mask, state, feed, weights = self.start(memory, lengths, last)
        token, out = lengths.new_full((len(x),), BOS), []
        for _ in range(steps + 1):
            feed, state, weights = self.step(self.embedding(token), memory, keys, mask, state, feed, weights)
            token = self.output(feed)[:, SPECIALS:].argmax(1) + SPECIALS
            out.append(token)
        return torch.stack(out[:steps], 1)

    def load(self, w):
        """Parameters of a model folder, by their names there."""
        def lstm(layer, name):
            for key in layer.state_dict():
                layer.state_dict()[key].copy_(w[f"{name}.lstm.{key}"])

        def linear(layer, name):
            layer.weight.copy_(w[name + ".weight"].reshape(layer.weight.shape))
            if layer.bias is not None:
                layer.bias.copy_(w[name + ".bias"])

        with torch.no_grad():
            conv = self.convolution
            kernel = w["encoder.blocks.0.convolution.weight"].reshape(conv.out_channels, 3, conv.in_channels)
            conv.weight.copy_(kernel.transpose(1, 2)), conv.bias.copy_(w["encoder.blocks.0.convolution.bias"])
            lstm(self.lower, "encoder.blocks.1"), lstm(self.upper, "encoder.blocks.3")
            for key in self.cell.state_dict():
                self.cell.state_dict()[key].copy_(w[f"decoder.lstm.{key}_l0"])
            self.embedding.weight.copy_(w["decoder.embedding.weight"])
            self.filters.weight.copy_(w["decoder.score.location.filters"][:, None])
            self.energy.weight.copy_(w["decoder.score.v"][None])
            for layer, name in ((self.ctc, "ctc"), (self.bridge_h, "decoder.bridge.h.0"),
                                (self.bridge_c, "decoder.bridge.c.0"), (self.query, "decoder.score.query"),
                                (self.keys, "decoder.score.memory"), (self.location, "decoder.score.location"),
                                (self.readout, "decoder.readout"), (self.output, "output")):
                linear(layer, name)
        return self


def tensors_of(path):
    """f32 tensors of a safetensors file."""
    blob = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", blob[:8])[0]
    header = json.loads(blob[8:8 + size])
    return {name: torch.frombuffer(bytearray(blob[8 + size + a:8 + size + b]), dtype=torch.float32).reshape(shape)
            for name, (a, b), shape in ((n, h["data_offsets"], h["shape"]) for n, h in header.items() if n != "__metadata__")}


def collate(rows):
    return pad_sequence(rows, batch_first=True), torch.tensor([len(r) for r in rows])


def train_step(model, optimizer, rows, targets):
    x, lengths = collate(rows)
    ids = pad_sequence(targets, batch_first=True, padding_value=PAD)
    loss = model.loss(x, lengths, ids, torch.tensor([len(t) for t in targets]))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), model.options.clip)
    optimizer.step()
