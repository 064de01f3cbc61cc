"""ONNX Runtime with the models of peers_torch: exported once, in f32 and with int8 weights."""

import pathlib

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from peers_torch import BOS, H, SOURCE, TARGET, V, Seq2Seq


class Encoder(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, source):
        return self.model.encode(source)


class Step(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, token, feed, h, c, memory, keys):
        feed, h, c = self.model.step(self.model.target(token), feed, h, c, memory, keys)
        return self.model.output(feed).argmax(1), feed, h, c


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(H, H)

    def forward(self, x, h, c):
        _, (h, c) = self.lstm(x, (h, c))
        return h, c


def exported(module, inputs, names, outputs, path):
    torch.onnx.export(module.eval(), inputs, path, input_names=names, output_names=outputs, dynamo=False)
    return path


def session(path, threads, precision):
    if precision == "int8":
        small = path.with_suffix(".int8.onnx")
        quantize_dynamic(path, small, weight_type=QuantType.QInt8, per_channel=True)
        path = small
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class Decoding:
    def __init__(self, folder, batch=1, precision="f32", threads=1):
        torch.manual_seed(1)
        folder = pathlib.Path(folder)
        self.batch = batch
        model = Seq2Seq()
        source = torch.randint(4, V, (SOURCE, batch))
        state = model.encode(source)
        token, feed = torch.full((batch,), BOS), torch.zeros(batch, H)
        memory, keys, h, c = state
        encoder = exported(Encoder(model), (source,), ["source"], ["memory", "keys", "h", "c"],
                           folder / f"encoder{batch}.onnx")
        step = exported(Step(model), (token, feed, h, c, memory, keys), ["token", "feed", "h", "c", "memory", "keys"],
                        ["next", "feed2", "h2", "c2"], folder / f"step{batch}.onnx")
        self.encoder, self.step = session(encoder, threads, precision), session(step, threads, precision)
        self.source = source.numpy()

    def run(self):
        memory, keys, h, c = self.encoder.run(None, {"source": self.source})
        token, feed = np.full((self.batch,), BOS), np.zeros((self.batch, H), np.float32)
        for _ in range(TARGET):
            token, feed, h, c = self.step.run(None, {"token": token, "feed": feed, "h": h, "c": c, "memory": memory,
                                                     "keys": keys})
        return self.batch * TARGET


class Streaming:
    def __init__(self, folder, precision="f32", threads=1, steps=64):
        torch.manual_seed(1)
        state = torch.zeros(1, 1, H)
        path = exported(Layer(), (torch.randn(1, 1, H), state, state), ["x", "h", "c"], ["h2", "c2"],
                        pathlib.Path(folder) / "layer.onnx")
        self.session, self.steps = session(path, threads, precision), steps
        self.x = np.random.default_rng(1).standard_normal((1, 1, H), np.float32)

    def run(self):
        h, c = np.zeros((1, 1, H), np.float32), np.zeros((1, 1, H), np.float32)
        for _ in range(self.steps):
            h, c = self.session.run(None, {"x": self.x, "h": h, "c": c})
        return self.steps
