"""The models of the comparison as a careful PyTorch user writes them."""

import contextlib

import torch
from torch import nn
from torch.nn import functional as F

V, E, H, SOURCE, TARGET = 8000, 256, 512, 16, 16
HEADS = 8
BOS = 1


class Seq2Seq(nn.Module):
    """BiLSTM encoder (2 x H/2), one LSTM decoder layer (H), tanh bridge and readout.

    luong: attends after the cell with the general score, with or without input feeding;
    additive: Bahdanau's order, where the cell reads the context of the state before.
    """

    def __init__(self, attention="luong", feeding=True):
        super().__init__()
        self.attention, self.feeding = attention, feeding
        self.source = nn.Embedding(V, E)
        self.target = nn.Embedding(V, E)
        self.encoder = nn.LSTM(E, H // 2, bidirectional=True)
        self.bridge_h = nn.Linear(H, H)
        self.bridge_c = nn.Linear(H, H)
        self.key = nn.Linear(H, H, bias=attention == "additive")
        if attention == "luong" and not feeding:
            self.decoder = nn.LSTM(E, H)
        else:
            self.cell = nn.LSTMCell(E + (H if feeding else 0) + (H if attention == "additive" else 0), H)
        if attention == "additive":
            self.query = nn.Linear(H, H, bias=False)
            self.v = nn.Parameter(torch.randn(H) * 0.01)
        self.readout = nn.Linear(2 * H + (E if attention == "additive" else 0), H)
        self.output = nn.Linear(H, V)

    def encode(self, source):  # [T, B]
        memory, (h, c) = self.encoder(self.source(source))
        memory = memory.transpose(0, 1).contiguous()  # [B, T, H]
        both = lambda x: torch.cat([x[0], x[1]], 1)
        h, c = torch.tanh(self.bridge_h(both(h))), torch.tanh(self.bridge_c(both(c)))
        return memory, self.key(memory), h, c

    def attend(self, query, memory, keys):  # [B, H] or [B, U, H]
        if self.attention == "additive":
            energies = torch.tanh(self.query(query).unsqueeze(1) + keys) @ self.v
            return torch.bmm(torch.softmax(energies, 1).unsqueeze(1), memory).squeeze(1)
        whole = query if query.dim() == 3 else query.unsqueeze(1)
        context = torch.bmm(torch.softmax(torch.bmm(whole, keys.transpose(1, 2)), 2), memory)
        return context if query.dim() == 3 else context.squeeze(1)

    def step(self, embedded, feed, h, c, memory, keys):
        inputs = [embedded] + ([feed] if self.feeding else [])
        if self.attention == "additive":
            context = self.attend(h, memory, keys)
            h, c = self.cell(torch.cat([*inputs, context], 1), (h, c))
            return torch.tanh(self.readout(torch.cat([context, h, embedded], 1))), h, c
        h, c = self.cell(torch.cat(inputs, 1), (h, c))
        return torch.tanh(self.readout(torch.cat([self.attend(h, memory, keys), h], 1))), h, c

    def forward(self, source, inputs, targets):  # [T, B], [U, B], [U, B]
        memory, keys, h, c = self.encode(source)
        embedded = self.target(inputs)
        if self.attention == "luong" and not self.feeding:
            states = self.decoder(embedded, (h.unsqueeze(0), c.unsqueeze(0)))[0]
            context = self.attend(states.transpose(0, 1), memory, keys).transpose(0, 1)
            outputs = torch.tanh(self.readout(torch.cat([context, states], 2)))
        else:
            feed, outputs = torch.zeros(source.shape[1], H), []
            for t in range(inputs.shape[0]):
                feed, h, c = self.step(embedded[t], feed, h, c, memory, keys)
                outputs.append(feed)
            outputs = torch.stack(outputs)
        return F.cross_entropy(self.output(outputs).view(-1, V), targets.reshape(-1))


class Ragged(Seq2Seq):
    """Padded batches: the encoder packs them, attention and loss mask what is padding."""

    def forward(self, source, lengths, inputs, targets):  # [T, B], [B], [U, B], [U, B]; padding is 0, in targets -100
        packed = nn.utils.rnn.pack_padded_sequence(self.source(source), lengths, enforce_sorted=False)
        packed, (h, c) = self.encoder(packed)
        memory = nn.utils.rnn.pad_packed_sequence(packed)[0].transpose(0, 1).contiguous()
        both = lambda x: torch.cat([x[0], x[1]], 1)
        h, c = torch.tanh(self.bridge_h(both(h))), torch.tanh(self.bridge_c(both(c)))
        padding = (torch.arange(source.shape[0]) >= lengths.unsqueeze(1)).unsqueeze(1)  # [B, 1, T]
        keys, embedded, feed, outputs = self.key(memory), self.target(inputs), torch.zeros(source.shape[1], H), []
        for t in range(inputs.shape[0]):
            h, c = self.cell(torch.cat([embedded[t], feed], 1), (h, c))
            energies = torch.bmm(h.unsqueeze(1), keys.transpose(1, 2)).masked_fill(padding, -1e9)
            context = torch.bmm(torch.softmax(energies, 2), memory).squeeze(1)
            feed = torch.tanh(self.readout(torch.cat([context, h], 1)))
            outputs.append(feed)
        return F.cross_entropy(self.output(torch.stack(outputs)).view(-1, V), targets.reshape(-1), ignore_index=-100)


def precision_context(precision):
    return torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


class Training:
    """Forward, backward, clipping to norm 1 and Adam. run() gives the target tokens trained on."""

    def __init__(self, attention="luong", feeding=True, compiled=False, precision="f32", batch=64):
        torch.manual_seed(1)
        self.model = Seq2Seq(attention, feeding)
        self.call = torch.compile(self.model) if compiled else self.model
        self.precision = precision
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.source = torch.randint(4, V, (SOURCE, batch))
        self.targets = torch.randint(4, V, (TARGET, batch))
        self.inputs = torch.cat([torch.full((1, batch), BOS), self.targets[:-1]])

    def run(self):
        self.optimizer.zero_grad(set_to_none=True)
        with precision_context(self.precision):
            loss = self.call(self.source, self.inputs, self.targets)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return self.targets.numel()


class RaggedTraining:
    """The same on batches of real lengths, in turn: [[(source, target), ...], ...]."""

    def __init__(self, batches, compiled=False, precision="f32"):
        torch.manual_seed(1)
        self.model = Ragged()
        self.call = torch.compile(self.model, dynamic=True) if compiled else self.model
        self.precision = precision
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self.batches, self.at = [self.padded(b) for b in batches], 0

    @staticmethod
    def padded(lengths):
        source, target = torch.tensor([s for s, _ in lengths]), torch.tensor([t for _, t in lengths])
        T, U, B = int(source.max()), int(target.max()), len(lengths)
        words = torch.randint(4, V, (T, B)) * (torch.arange(T).unsqueeze(1) < source)
        targets = torch.randint(4, V, (U, B))
        inputs = torch.cat([torch.full((1, B), BOS), targets[:-1]])
        return words, source, inputs, targets.masked_fill(torch.arange(U).unsqueeze(1) >= target, -100)

    def run(self):
        words, lengths, inputs, targets = self.batches[self.at % len(self.batches)]
        self.at += 1
        self.optimizer.zero_grad(set_to_none=True)
        with precision_context(self.precision):
            loss = self.call(words, lengths, inputs, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return int((targets >= 0).sum())


class Lstm:
    """nn.LSTM forward and backward; run() gives GFLOP."""

    def __init__(self, precision="f32", compiled=False, steps=32, batch=64):
        torch.manual_seed(1)
        self.lstm = nn.LSTM(H, H)
        self.call = torch.compile(self.lstm) if compiled else self.lstm
        self.precision = precision
        self.x = torch.randn(steps, batch, H, requires_grad=True)
        self.dh = torch.randn(steps, batch, H)
        self.gflop = 3 * 2 * steps * batch * 4 * H * 2 * H * 1e-9

    def run(self):
        self.lstm.zero_grad(set_to_none=True)
        self.x.grad = None
        with precision_context(self.precision):
            out = self.call(self.x)[0]
        out.backward(self.dh.to(out.dtype))
        return self.gflop


class AttentionLayer(nn.Module):
    """What a block of kind self_attention is without a feed-forward part: x + output(attention(norm(x)))."""

    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.output = nn.LayerNorm(H), nn.Linear(H, 3 * H), nn.Linear(H, H)

    def forward(self, x):  # [B, T, H]
        q, k, v = self.qkv(self.norm(x)).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        return x + self.output(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class SelfAttention:
    """The same forward and backward; run() gives the steps of all sequences."""

    def __init__(self, steps, precision="f32", compiled=False, batch=32):
        torch.manual_seed(1)
        self.layer = AttentionLayer()
        self.call = torch.compile(self.layer) if compiled else self.layer
        self.precision = precision
        self.x = torch.randn(batch, steps, H, requires_grad=True)
        self.dy = torch.randn(batch, steps, H)

    def run(self):
        self.layer.zero_grad(set_to_none=True)
        self.x.grad = None
        with precision_context(self.precision):
            y = self.call(self.x)
        y.backward(self.dy.to(y.dtype))
        return self.dy.shape[0] * self.dy.shape[1]


def quantised(model):
    """Dynamic int8: weights by row, activations when they come."""
    return torch.ao.quantization.quantize_dynamic(model, {nn.Linear, nn.LSTM, nn.LSTMCell}, dtype=torch.qint8)


class Decoding:
    """Greedy or beam search for exactly TARGET tokens a sentence; run() gives the tokens of the best hypotheses."""

    def __init__(self, batch=1, beam=1, precision="f32", compiled=False):
        torch.manual_seed(1)
        self.model = Seq2Seq().eval()
        if precision == "int8":
            self.model = quantised(self.model)
        self.precision, self.beam, self.batch = precision, beam, batch
        self.next = torch.compile(self.next_scores) if compiled else self.next_scores
        self.source = torch.randint(4, V, (SOURCE, batch))

    def next_scores(self, token, feed, h, c, memory, keys):
        feed, h, c = self.model.step(self.model.target(token), feed, h, c, memory, keys)
        logits = self.model.output(feed)
        # Greedy search needs no probabilities.
        return (logits if self.beam == 1 else F.log_softmax(logits.float(), 1)), feed, h, c

    def greedy(self, memory, keys, h, c):
        token, feed = torch.full((self.batch,), BOS), torch.zeros(self.batch, H)
        for _ in range(TARGET):
            logits, feed, h, c = self.next(token, feed, h, c, memory, keys)
            token = logits.argmax(1)

    def search(self, memory, keys, h, c):
        B, K = self.batch, self.beam
        wide = lambda x: x.repeat_interleave(K, 0)
        memory, keys, h, c = wide(memory), wide(keys), wide(h), wide(c)
        token, feed = torch.full((B * K,), BOS), torch.zeros(B * K, H)
        scores = torch.full((B, K), -1e9)
        scores[:, 0] = 0
        first = (torch.arange(B) * K).unsqueeze(1)
        history = torch.empty(B * K, 0, dtype=torch.long)
        for _ in range(TARGET):
            log_probs, feed, h, c = self.next(token, feed, h, c, memory, keys)
            # The K best of each hypothesis hold the K best of all.
            best, words = log_probs.topk(K, 1)
            scores, at = (scores.unsqueeze(2) + best.view(B, K, K)).view(B, K * K).topk(K, 1)
            token = words.view(B, K * K).gather(1, at).view(-1)
            rows = (first + at // K).view(-1)
            feed, h, c = feed[rows], h[rows], c[rows]
            history = torch.cat([history[rows], token.unsqueeze(1)], 1)

    def run(self):
        with torch.inference_mode(), precision_context(self.precision):
            state = self.model.encode(self.source)
            (self.greedy if self.beam == 1 else self.search)(*state)
        return self.batch * TARGET


class Streaming:
    """One LSTM step at a time, batch 1; run() gives the steps."""

    def __init__(self, kind="cell", precision="f32", compiled=False, steps=64):
        torch.manual_seed(1)
        self.kind, self.precision, self.steps = kind, precision, steps
        module = nn.LSTMCell(H, H) if kind == "cell" else nn.LSTM(H, H)
        self.module = quantised(nn.Sequential(module))[0] if precision == "int8" else module
        self.call = torch.compile(self.module) if compiled else self.module
        self.x = torch.randn(1, H) if kind == "cell" else torch.randn(1, 1, H)

    def run(self):
        with torch.inference_mode(), precision_context(self.precision):
            shape = (1, H) if self.kind == "cell" else (1, 1, H)
            h, c = torch.zeros(shape), torch.zeros(shape)
            for _ in range(self.steps):
                if self.kind == "cell":
                    h, c = self.call(self.x, (h, c))
                else:
                    h, c = self.call(self.x, (h, c))[1]
        return self.steps
