#!/usr/bin/env python3
"""What `mgd bench` times, done with PyTorch and transformers: peers.py NAME [--rounds N] [--warm-ups K] [--threads T].

One JSON object on stdout: {"name", "variant", "ms": [CPU time of the process, each round], "page_faults"}. With --serve one
such object with one round for every line on stdin, for interleave.py. Shapes, lengths and targets are those of src/mgd/bench.
`--variant compiled` puts torch.compile around the model where there is one.
"""

import argparse
import json
import resource
import sys
import time

FULL = [512] * 8
PAD30 = [512, 460, 410, 358, 358, 307, 256, 205]
PAD50 = [512, 410, 307, 256, 256, 154, 103, 50]
MLM = {
    "full": [128] * 16,
    "pad30": [128, 128, 120, 115, 110, 105, 100, 95, 90, 85, 80, 70, 65, 60, 50, 33],
    "pad45": [128, 120, 110, 100, 90, 80, 75, 70, 65, 60, 55, 50, 45, 35, 25, 19],
}
VOCABULARY = 30522


def attention(torch, lengths, length, causal=False, window=None, dropout=0.0, dtype=None):
    """Scaled dot product attention with a bool mask, or its own causal path where that is all there is to hide."""
    batch, heads, width = len(lengths), 12, 64
    dtype = dtype or torch.float32
    q, k, v = (torch.randn(batch, heads, length, width).to(dtype).requires_grad_() for _ in range(3))
    places = torch.arange(length)
    keep = None
    if min(lengths) < length:
        keep = (places < torch.tensor(lengths)[:, None])[:, None, None, :]
    if causal and keep is not None:
        keep = keep & (places[None, :] <= places[:, None])
    if window is not None:
        keep = ((places[None, :] - places[:, None]).abs() <= window)[None, None]
    grad = torch.ones_like(q)

    def run():
        q.grad = k.grad = v.grad = None
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=keep, dropout_p=dropout,
                                                               is_causal=causal and keep is None)
        out.backward(grad)

    return run


def lm_head(torch, dtype):
    """Every place is projected; those that are no target are ignored by the loss."""
    places, width = 16 * 128, 768
    hidden = torch.randn(places, width).to(dtype).requires_grad_()
    weight = (torch.randn(VOCABULARY, width) * 0.02).requires_grad_()
    bias = torch.randn(VOCABULARY).requires_grad_()
    targets = torch.full((places,), -100)
    targets[torch.randperm(places)[:215]] = torch.randint(VOCABULARY, (215,))

    def run():
        hidden.grad = weight.grad = bias.grad = None
        logits = torch.nn.functional.linear(hidden, weight.to(dtype), bias.to(dtype))
        torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum").backward()

    return run


def mlm_step(torch, name, variant):
    from transformers import BertConfig, BertForMaskedLM

    lengths = MLM[name.removesuffix("-bf16")]
    model = BertForMaskedLM(BertConfig(vocab_size=VOCABULARY, hidden_size=768, num_hidden_layers=4, num_attention_heads=12,
                                       intermediate_size=3072, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
    places = torch.arange(128)
    mask = (places < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(1000, VOCABULARY, mask.shape)
    labels = torch.where((mask == 1) & (places % 7 == 3), torch.randint(1000, VOCABULARY, mask.shape), -100)
    forward = torch.compile(model) if variant == "compiled" else model

    def run():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=name.endswith("-bf16")):
            loss = forward(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        optimizer.step()

    return run


def generation(torch, channels):
    conv = [torch.nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)]
    return torch.nn.Sequential(conv[0], torch.nn.ReLU(), conv[1])


def mgd_block(torch, variant, batch=16, channels=256, size=28, mask="spatial", ratio=0.75, bf16=False):
    layout = torch.channels_last
    block = generation(torch, channels).to(memory_format=layout)
    student = torch.randn(batch, channels, size, size).contiguous(memory_format=layout).requires_grad_()
    teacher = torch.randn(batch, channels, size, size).contiguous(memory_format=layout)
    shape = (batch, 1, size, size) if mask == "spatial" else (batch, channels, 1, 1)
    keep = (torch.rand(shape) >= ratio).float()
    forward = torch.compile(block) if variant == "compiled" else block

    def run():
        student.grad = None
        block.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = torch.nn.functional.mse_loss(forward(student * keep), teacher, reduction="sum")
        loss.backward()

    return run


def resnet(torch, depth):
    """torchvision's ResNet-18 or -34, which need not be installed."""
    import timm

    return timm.create_model(f"resnet{depth}", num_classes=1000).to(memory_format=torch.channels_last)


def images(torch):
    return torch.randn(8, 3, 224, 224).contiguous(memory_format=torch.channels_last)


def teacher(torch, dtype, variant):
    model = resnet(torch, 34).eval()
    x = images(torch)
    if variant == "onnx":
        return teacher_onnx(torch, model, x)
    forward = torch.compile(model) if variant == "compiled" else model

    def run():
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            forward(x)

    return run


def teacher_onnx(torch, model, x):
    import tempfile

    import onnxruntime

    file = tempfile.mktemp(suffix=".onnx")
    torch.onnx.export(model, x, file, input_names=["x"], dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    data = x.contiguous().numpy()
    return lambda: session.run(None, {"x": data})


def distill_step(torch, variant):
    teacher_model, student = resnet(torch, 34).eval(), resnet(torch, 18)
    block = generation(torch, 512).to(memory_format=torch.channels_last)
    parameters = [*student.parameters(), *block.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)
    x, target = images(torch), torch.randint(1000, (8,))

    def features(model):
        return model.layer4(model.layer3(model.layer2(model.layer1(model.maxpool(model.act1(model.bn1(model.conv1(x))))))))

    def run():
        with torch.no_grad():
            wanted = features(teacher_model)
        got = features(student)
        logits = student.fc(student.global_pool(got))
        keep = (torch.rand(8, 1, 7, 7) >= 0.5).float()
        loss = torch.nn.functional.cross_entropy(logits, target) + torch.nn.functional.mse_loss(block(got * keep), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run


def make(torch, name, variant):
    kind, case = name.removesuffix("-winograd").split("/")  # the peer has no such thing
    bf16 = torch.bfloat16
    if kind == "attention":
        return {
            "full": lambda: attention(torch, FULL, 512),
            "pad30": lambda: attention(torch, PAD30, 512),
            "pad50": lambda: attention(torch, PAD50, 512),
            "causal": lambda: attention(torch, FULL, 512, causal=True),
            "causal-pad50": lambda: attention(torch, PAD50, 512, causal=True),
            "window": lambda: attention(torch, [4096], 4096, window=64),
            "dropout": lambda: attention(torch, FULL, 512, dropout=0.1),
            "full-bf16": lambda: attention(torch, FULL, 512, dtype=bf16),
            "pad50-bf16": lambda: attention(torch, PAD50, 512, dtype=bf16),
        }[case]()
    if kind == "lm-head":
        return lm_head(torch, bf16 if case == "bf16" else torch.float32)
    if kind == "mlm-step":
        return mlm_step(torch, case, variant)
    if kind == "mgd-block":
        return {
            "spatial-0.75": lambda: mgd_block(torch, variant),
            "spatial-0.65": lambda: mgd_block(torch, variant, ratio=0.65),
            "channel-0.5": lambda: mgd_block(torch, variant, mask="channel", ratio=0.5),
            "spatial-0.75-large": lambda: mgd_block(torch, variant, batch=1, channels=2048, size=64),
            "spatial-0.75-bf16": lambda: mgd_block(torch, variant, bf16=True),
            "channel-0.5-bf16": lambda: mgd_block(torch, variant, mask="channel", ratio=0.5, bf16=True),
        }[case]()
    if kind == "teacher":
        return teacher(torch, bf16 if case == "bf16" else torch.float32, variant)
    return distill_step(torch, variant)  # live and cached: the peer keeps nothing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--warm-ups", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--variant", choices=["eager", "compiled", "onnx"], default="eager")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    run = make(torch, args.name, args.variant)
    for _ in range(args.warm_ups):
        run()
    if not args.serve:
        timed(run, args, args.rounds)
        return
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for _ in sys.stdin:
        timed(run, args, 1)


def timed(run, args, rounds):
    ms, faults = [], resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        start = time.process_time()
        run()
        ms.append(1e3 * (time.process_time() - start))
    faults = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults) / rounds
    print(json.dumps({"name": args.name, "variant": args.variant, "ms": ms, "page_faults": faults}), flush=True)


if __name__ == "__main__":
    main()
