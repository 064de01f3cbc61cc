"""A BiLSTM-CRF with characters in plain, careful PyTorch (Lample et al. 2016; Lafferty et al. 2001): packed sequences,
each different word of a batch spelt once, the forward algorithm and Viterbi over whole batches. Parameters can be those
of a folder of `task = "label"`, whose tags are then the same."""

import dataclasses

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

UNKNOWN = 0  # of words, and of characters
FORBIDDEN = -1e4  # instead of minus infinity, whose gradients would be none


@dataclasses.dataclass
class Options:
    words: int = 100
    characters: int = 25
    spelling: int = 25  # of each direction
    hidden: int = 100  # of each direction
    dropout: float = 0.5
    lr: float = 1e-3
    clip: float = 5.0


def may_follow(before, tag):
    """In BIO; "" is before the first and behind the last one."""
    return not tag.startswith("I-") or before[2:] == tag[2:] and before[:1] in "BI" and bool(before)


class Words:
    """Sentences as numbers: each different word has one, by which its own number and its characters are found."""

    def __init__(self, vocabulary, alphabet):
        self.vocabulary, self.alphabet = vocabulary, {c: k + 1 for k, c in enumerate(alphabet)}
        self.number, self.ids, self.spellings = {}, [], []

    def encode(self, sentence):
        out = []
        for word in sentence:
            at = self.number.get(word)
            if at is None:
                at = self.number[word] = len(self.ids)
                self.ids.append(self.vocabulary.get(word, UNKNOWN))
                self.spellings.append(torch.tensor([self.alphabet.get(c, UNKNOWN) for c in word[:64]]))
            out.append(at)
        return torch.tensor(out)

    def batch(self, sentences):
        """Numbers by encode() -> words [B, T], lengths [B], which of the different words each is [B, T], and these
        words' characters [N, C] with their lengths [N]."""
        lengths = torch.tensor([len(s) for s in sentences])
        found, which = torch.unique(pad_sequence(sentences, batch_first=True), return_inverse=True)
        found = found.tolist()
        spelt = [self.spellings[k] for k in found]
        return (torch.tensor([self.ids[k] for k in found])[which], lengths, which, pad_sequence(spelt, batch_first=True),
                torch.tensor([len(s) for s in spelt]))


class Tagger(nn.Module):
    def __init__(self, words, alphabet, tags, options, packed=True):
        """`words` and `alphabet` are sizes, `tags` a list; packed=False reads the padding of sentences, which is faster
        and not the same model."""
        super().__init__()
        o, K, self.packed = options, len(tags), packed
        self.embedding = nn.Embedding(words, o.words)
        self.letters = nn.Embedding(alphabet, o.characters)
        self.speller = nn.LSTM(o.characters, o.spelling, batch_first=True, bidirectional=True)
        self.lstm = nn.LSTM(o.words + 2 * o.spelling, o.hidden, batch_first=True, bidirectional=True)
        self.output = nn.Linear(2 * o.hidden, K)
        self.transitions, self.start, self.end = (nn.Parameter(torch.zeros(s)) for s in ((K, K), (K,), (K,)))
        self.dropout = nn.Dropout(o.dropout)
        for table in (self.embedding, self.letters):
            nn.init.uniform_(table.weight, -0.1, 0.1)
        rules = [[0.0 if may_follow(a, b) else FORBIDDEN for b in tags] for a in tags]
        self.register_buffer("rules", torch.tensor(rules))
        self.register_buffer("first", torch.tensor([0.0 if may_follow("", b) else FORBIDDEN for b in tags]))

    def emissions(self, words, lengths, which, spelt, spelt_lengths):
        """What Words.batch() gives -> [B, T, K]."""
        packed = pack_padded_sequence(self.letters(spelt), spelt_lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.speller(packed)
        spelling = torch.cat([h[0], h[1]], 1)
        x = self.dropout(torch.cat([self.embedding(words), nn.functional.embedding(which, spelling)], 2))
        if self.packed:
            states, _ = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
            states, _ = pad_packed_sequence(states, batch_first=True)
        else:
            states, _ = self.lstm(x)
        return self.output(self.dropout(states))

    def scores(self):
        return self.transitions + self.rules, self.start + self.first

    def loss(self, batch, tags):
        """tags [B, T], anything behind each -> the sum of -log p(tags), and how many tags there are."""
        emissions, lengths = self.emissions(*batch), batch[1]
        transitions, start = self.scores()
        B, T, _ = emissions.shape
        kept = torch.arange(T) < lengths[:, None]
        right = emissions.gather(2, tags[..., None]).squeeze(2)
        right = right[:, 1:] + transitions[tags[:, :-1], tags[:, 1:]], right[:, 0] + start[tags[:, 0]]
        right = (right[0] * kept[:, 1:]).sum() + right[1].sum()
        right = right + self.end[tags.gather(1, lengths[:, None] - 1)].sum()
        alpha = start + emissions[:, 0]
        for t in range(1, T):
            now = torch.logsumexp(alpha[:, :, None] + transitions, 1) + emissions[:, t]
            alpha = torch.where(kept[:, t, None], now, alpha)
        return torch.logsumexp(alpha + self.end, 1).sum() - right, int(lengths.sum())

    def best(self, batch):
        """The likeliest tags of each sentence, as lists of numbers."""
        emissions, lengths = self.emissions(*batch), batch[1]
        transitions, score = self.scores()
        score, back = score + emissions[:, 0], []
        T = emissions.shape[1]
        kept = torch.arange(T) < lengths[:, None]
        same = torch.arange(emissions.shape[2]).expand_as(score)
        for t in range(1, T):
            now, at = (score[:, :, None] + transitions).max(1)
            score = torch.where(kept[:, t, None], now + emissions[:, t], score)
            back.append(torch.where(kept[:, t, None], at, same))
        tag = (score + self.end).argmax(1)
        out = [tag]
        for at in reversed(back):
            tag = at.gather(1, tag[:, None]).squeeze(1)
            out.append(tag)
        return [row[:n] for row, n in zip(torch.stack(out[::-1], 1).tolist(), lengths.tolist())]

    def load(self, w):
        """Parameters of a model folder, by their names there."""
        with torch.no_grad():
            for key in self.lstm.state_dict():
                self.lstm.state_dict()[key].copy_(w[f"encoder.lstm.{key}"])
                self.speller.state_dict()[key].copy_(w[f"characters.lstm.{key}"])
            for to, name in ((self.embedding.weight, "embedding.weight"), (self.output.weight, "output.weight"),
                             (self.letters.weight, "characters.embedding.weight"), (self.output.bias, "output.bias"),
                             (self.transitions, "crf.transitions"), (self.start, "crf.start"), (self.end, "crf.end")):
                to.copy_(w[name])
        return self


def train_step(model, optimizer, batch, tags, clip):
    """-> the mean loss of a tag."""
    loss, count = model.loss(batch, pad_sequence(tags, batch_first=True))
    optimizer.zero_grad()
    (loss / count).backward()
    nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return loss.item() / count, count
