"""Show, attend and tell (Xu et al. 2015) in plain, careful PyTorch, over the features of a grid of places: a layer at
each place, and an LSTM decoder that attends with the state before, with a gate on what it sees. Parameters can be those
of a folder of `task = "caption"`, whose outputs are then the same."""

import dataclasses

import torch
from torch import nn

from transcribe_torch import BOS, EOS, PAD, SPECIALS

F = nn.functional


@dataclasses.dataclass
class Options:
    places: int = 169
    features: int = 512
    encoder: int = 256
    decoder: int = 256
    attention: int = 256
    embedding: int = 128
    dropout: float = 0.5
    smoothing: float = 0.1
    lr: float = 1e-3
    warmup: int = 200
    clip: float = 2.0


def attended(h, memory, keys, query, v, beta_weight, beta_bias):
    """A step's look at the places: h [N, H], memory [N, P, M], keys [N, P, A] -> beta * context [N, M]."""
    energies = (keys + F.linear(h, query)[:, None]).tanh_() @ v
    context = torch.bmm(energies.softmax(1)[:, None], memory)[:, 0]
    return context * torch.sigmoid(F.linear(h, beta_weight, beta_bias))


class Captioner(nn.Module):
    """shrinking: captions that have ended leave the batch; else all go on to the longest one's end, and what is behind
    an end is masked. compiled: a step's attention goes through torch.compile."""

    def __init__(self, vocabulary, options, shrinking=False, compiled=False):
        super().__init__()
        o, self.options, self.shrinking = options, options, shrinking
        self.encoder = nn.Linear(o.features, o.encoder)
        self.embedding = nn.Embedding(vocabulary, o.embedding)
        self.bridge_h, self.bridge_c = nn.Linear(o.encoder, o.decoder), nn.Linear(o.encoder, o.decoder)
        self.cell = nn.LSTMCell(o.embedding + o.encoder, o.decoder)
        self.query, self.keys = nn.Linear(o.decoder, o.attention, bias=False), nn.Linear(o.encoder, o.attention)
        self.v = nn.Parameter(torch.zeros(o.attention))
        self.beta = nn.Linear(o.decoder, 1)
        self.readout = nn.Linear(o.encoder + o.decoder + o.embedding, o.decoder)
        self.output = nn.Linear(o.decoder, vocabulary)
        self.drop = nn.Dropout(o.dropout)
        self.attended = torch.compile(attended) if compiled else attended

    def encode(self, features):
        """features [B, P, F] -> memory [B, P, M], its keys [B, P, A], the first h and c [B, H]."""
        memory = torch.relu(self.encoder(self.drop(features)))
        mean = memory.mean(1)
        return memory, self.keys(memory), torch.tanh(self.bridge_h(mean)), torch.tanh(self.bridge_c(mean))

    def look(self, h, memory, keys):
        return self.attended(h, memory, keys, self.query.weight, self.v, self.beta.weight, self.beta.bias)

    def step_weights(self):
        """Of the cell: [4 H, E] for an embedding, [4 H, M + H] for a context and the state, [4 H] of both biases."""
        w, cell, E = self.cell.weight_ih, self.cell, self.options.embedding
        return w[:, :E], torch.cat([w[:, E:], cell.weight_hh], 1), cell.bias_ih + cell.bias_hh

    @staticmethod
    def cell_step(x_part, w, context, h, c):
        i, f, g, o = torch.addmm(x_part, torch.cat([context, h], 1), w.t()).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def loss(self, features, targets, lengths):
        """features [B, P, F]; targets [B, U] of these lengths, the longest first, PAD behind each. The mean by
        token, the end being one."""
        memory, keys, h, c = self.encode(features)
        B, U = targets.shape[0], targets.shape[1] + 1
        ends = torch.cat([targets, targets.new_full((B, 1), PAD)], 1)
        ends[torch.arange(B), lengths] = EOS
        begun = torch.cat([targets.new_full((B, 1), BOS), targets], 1)
        embedded = self.drop(self.embedding(begun.t()))  # [U, B, E]
        w_embedded, w, bias = self.step_weights()
        x_parts = F.linear(embedded, w_embedded, bias)
        alive = (lengths[None] >= torch.arange(U)[:, None]).sum(1).tolist() if self.shrinking else [B] * U
        contexts, states = [], []
        for x_part, n in zip(x_parts, alive):
            if n < len(h):
                h, c, memory, keys = h[:n], c[:n], memory[:n], keys[:n]
            context = self.look(h, memory, keys)
            h, c = self.cell_step(x_part[:n], w, context, h, c)
            contexts.append(context), states.append(h)
        contexts, states, ends = torch.cat(contexts), torch.cat(states), ends.t()
        there = ends != PAD
        if not self.shrinking:
            rows = there.flatten()
            contexts, states = contexts[rows], states[rows]
        read = self.drop(torch.tanh(self.readout(torch.cat([contexts, states, embedded[there]], 1))))
        return F.cross_entropy(self.output(read), ends[there], label_smoothing=self.options.smoothing)

    def greedy(self, features, steps):
        """The likeliest words, one by one, `steps` of them and then the end -> [B, steps]."""
        memory, keys, h, c = self.encode(features)
        w_embedded, w, bias = self.step_weights()
        token, out = torch.full((len(features),), BOS), []
        for _ in range(steps + 1):
            embedded = self.embedding(token)
            context = self.look(h, memory, keys)
            h, c = self.cell_step(F.linear(embedded, w_embedded, bias), w, context, h, c)
            read = torch.tanh(self.readout(torch.cat([context, h, embedded], 1)))
            token = self.output(read)[:, SPECIALS:].argmax(1) + SPECIALS
            out.append(token)
        return torch.stack(out[:steps], 1)

    def load(self, w):
        """Parameters of a model folder, by their names there."""
        names = {"encoder": "encoder.blocks.0.convolution", "embedding": "decoder.embedding",
                 "bridge_h": "decoder.bridge.h.0", "bridge_c": "decoder.bridge.c.0", "query": "decoder.score.query",
                 "keys": "decoder.score.memory", "beta": "decoder.gate.beta", "readout": "decoder.readout",
                 "output": "output"}
        ours = {"v": "decoder.score.v", **{f"cell.{key}": f"decoder.lstm.{key}_l0" for key in self.cell.state_dict()}}
        for key in self.state_dict():
            layer, _, part = key.partition(".")
            if layer in names:
                ours[key] = f"{names[layer]}.{part}"
        assert sorted(ours.values()) == sorted(w), "the model folder has other parameters"
        self.load_state_dict({key: w[name] for key, name in ours.items()})
        return self

    def count(self):
        return sum(p.numel() for p in self.parameters())


def collate(targets):
    """[B, U], and the lengths; targets are the longest first."""
    ids = nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=PAD)
    return ids, torch.tensor([len(t) for t in targets])


class Trainer:
    """Adam with a rate that rises and then falls with the inverse root of the step."""

    def __init__(self, model):
        o, self.model = model.options, model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=o.lr, fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda k: min((k + 1) / o.warmup, (o.warmup / (k + 1)) ** 0.5))

    def step(self, features, targets):
        """targets, the longest first, and the features of each [B, P, F] -> the loss."""
        loss = self.model.loss(features, *collate(targets))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.model.options.clip)
        self.optimizer.step()
        self.schedule.step()
        return loss.item()
