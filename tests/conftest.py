"""What all tests share: the real data, and one model of the example messages."""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

import hypothesis
import pytest

import cauce
from cauce.data.columns import Columns
from cauce.model import golden, variants
from cauce.model.files import describe
from cauce.model.gates import Gate, Gates
from cauce.model.manifest import Calibration, Data, Input, Limits, Manifest, Recipe
from cauce.model.model import Model
from cauce.model.variant import Variant
from cauce.runtimes.base import open_runtime
from cauce.settings import settings
from cauce.text.normalize import Normalizer

ROOT = Path(__file__).parent.parent
MESSAGES = ROOT / "examples" / "data" / "messages.csv"
THINGS = ("camisa", "zapato", "libro", "taza", "lámpara", "silla", "reloj")
SHARED = ROOT.parent / "shared" / "data"
GOOD, BAD = ("good", "great", "lovely", "fine"), ("bad", "awful", "broken", "slow")
WORDS = ("parcel", "app", "bank", "train", "phone", "shop", "the", "is", "was", "very", "my", "so")

hypothesis.settings.register_profile("untimed", deadline=None)  # machines are noisy: no test is timed
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def messages() -> Path:
    """The example data of the project."""
    return MESSAGES


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """A path below the shared real data; a test that needs one skips where it is absent, and fails where it must be there."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.parent.exists():
            reason = f"the real data {name} are not here"
            if os.environ.get("CAUCE_REQUIRE_ALL"):
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear model of the example messages. Read-only by convention: copy it before changing it."""
    out = tmp_path_factory.mktemp("trained") / "model"
    cauce.train(MESSAGES, out=out)
    return out


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up orders of a shop: two texts, a category, a number, a boolean; a label, tags, a price; values are missing."""
    random = Random(5)
    path = tmp_path_factory.mktemp("orders") / "orders.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["title", "body", "color", "size", "paid", "kept", "tags", "price"])
        for number in range(400):
            kept, late = random.random() < 0.5, random.random() < 0.3
            color = random.choice(["rojo", "azul", "verde"])
            size = random.gauss(2 * kept, 1)
            title = f"{random.choice(['bueno', 'genial'] if kept else ['malo', 'roto'])} {random.choice(THINGS)} {number}"
            body = (
                f"{'llegó tarde' if late else 'llegó pronto'}, {random.choice(THINGS)} n.º {number} {random.choice('ñáéíóú')}"
            )
            tags = ["late"] * late + ["broken"] * (not kept and random.random() < 0.8) + ["green"] * (color == "verde")
            price = 10 + 3 * size + 5 * (color == "rojo") + random.gauss(0, 0.5)
            shown = ["" if random.random() < 0.05 else value for value in (color, f"{size:.2f}", random.choice(["yes", "no"]))]
            writer.writerow([title, body, *shown, "yes" if kept else "no", ";".join(tags), f"{price:.2f}"])
    return path


class Trained(dict[str, Path]):
    """Model folders by kind, each trained when it is first asked for."""

    def __init__(self, train: Callable[[str], Path]) -> None:
        super().__init__()
        self._train = train

    def __missing__(self, kind: str) -> Path:
        self[kind] = folder = self._train(kind)
        return folder


@pytest.fixture(scope="session")
def task_folders(model_folder: Path, orders: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each kind: one text, several labels, a number, every type of column, and a table without a text."""
    types = {"category": ("color",), "number": ("size",), "boolean": ("paid",)}
    asked: dict[str, dict[str, Any]] = {
        "multilabel": {"text": ("body", "title"), "label": ("tags",), "label_delimiter": ";", "category": ("color",)},
        "regression": {"text": ("title",), "label": ("price",), "task": "regression", **types},
        "mixed": {"text": ("title", "body"), "label": ("kept",), **types},
        "table": {"label": ("kept",), "ignore": ("title", "body", "tags", "price"), **types},
    }

    def train(kind: str) -> Path:
        if kind == "one text":
            return model_folder
        folder = tmp_path_factory.mktemp("tasks") / kind
        cauce.train(orders, columns=Columns(**asked[kind]), out=folder)
        return folder

    return Trained(train)


@pytest.fixture(scope="session")
def varied_folder(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of the example messages with a variant `copy`, which answers as it does. Read-only by convention."""
    room = tmp_path_factory.mktemp("varied")
    folder = Path(shutil.copytree(model_folder, room / "model"))
    (room / "files").mkdir()
    (room / "files" / "table.bin").write_bytes(bytes(range(256)))
    version = cauce.load(folder).version
    made = Variant(name="copy", version=version, runtime="linear", batching="free", precision="fp32")
    variants.add(folder, made, room / "files")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine's state of its own."""
    monkeypatch.setenv("CAUCE_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


@pytest.fixture(scope="session")
def measured() -> Callable[..., Gates]:
    """A measurement of variants of a folder on this processor: `measured(folder, copy={"gain": 2.0})`."""

    def made(folder: Path, *, target: str = "latency", processor: str = "", **given: dict[str, Any]) -> Gates:
        told = {"passed": True, "loss": 0.1, "gain": 1.5}
        gates = [Gate(variant=name, **{"seal": variants.read(folder, name).seal, **told, **one}) for name, one in given.items()]
        elsewhere = {"processor": processor, "processor_name": processor} if processor else {}
        version = json.loads((folder / "cauce.json").read_bytes())["version"]
        return Gates(version=version, target=target, max_loss=0.5, gates=tuple(gates), **elsewhere)  # type: ignore[arg-type]

    return made


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, as graphs in the folders `labels` (3 of them) and `vectors`."""
    import onnx
    import torch
    from transformers import BertConfig, BertModel

    from cauce.recipes import graph
    from cauce.recipes.network import mean_of_tokens

    room = tmp_path_factory.mktemp("encoder")
    tokenizer = wordpiece()
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = BertModel(config, add_pooling_layer=False)
            self.head = torch.nn.Linear(32, 3)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[Any, ...]:
            hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            pooled = mean_of_tokens(hidden, attention_mask)
            return 3 * self.head(pooled), pooled, hidden  # scores that differ from text to text

    (room / "labels").mkdir()
    graph.write(Net().eval(), room / "labels")
    tokenizer.save(str(room / "labels" / "tokenizer.json"))
    shutil.copytree(room / "labels", room / "vectors")
    model = onnx.load(str(room / "vectors" / "model.onnx"), load_external_data=False)
    del model.graph.output[0]
    (room / "vectors" / "model.onnx").write_bytes(model.SerializeToString())
    return room


@pytest.fixture(scope="session")
def tiny_tokenizer() -> bytes:
    """The `tokenizer.json` of the tiny encoder."""
    content: str = wordpiece().to_str()
    return content.encode()


def wordpiece() -> Any:
    """A tokenizer of the letters, and of the words of the example messages."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    with MESSAGES.open(encoding="utf-8", newline="") as file:
        words = sorted({word for row in csv.DictReader(file) for word in row["text"].lower().split() if word.isalpha()})
    letters = "abcdefghijklmnopqrstuvwxyzñ0123456789.,:;!?¡¿@#'\"-()"
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), *words]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(known))}
    tokenizer: Any = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = [(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=specials)
    return tokenizer


@pytest.fixture(scope="session")
def write_encoder(tiny_encoder: Path) -> Callable[..., Path]:
    """Write a model folder around the tiny encoder: `write_encoder(out, runtime, **fields of the manifest)`."""

    def write(out: Path, runtime: str = "onnx", **fields: Any) -> Path:
        vectors = fields.get("task") == "embedding"
        shutil.copytree(tiny_encoder / ("vectors" if vectors else "labels"), out)
        told: dict[str, Any] = {
            "name": "tiny",
            "task": "classification",
            "labels": () if vectors else ("negative", "neutral", "positive"),
            "inputs": (Input(name="text", type="text"),),
            "normalizer": Normalizer(),
            "limits": Limits(max_tokens=24),
            "calibration": Calibration(),
            "runtime": runtime,
            "variant": "fp32",
            "recipe": Recipe(name="transformer", parameters={}, seed=7),
            "data": Data(sha256="", rows=0),
        }
        files = ["model.onnx", "weights.safetensors", "tokenizer.json"]
        manifest = Manifest(**told | fields, files=describe(out, files))
        (out / "cauce.json").write_bytes(manifest.render())
        draft = Model(manifest, open_runtime(runtime, out, "fp32"))
        golden.write(draft, out / "golden.jsonl", [{"text": text} for text in golden.HARD_TEXTS])
        sealed = manifest.model_copy(update={"files": describe(out, [*files, "golden.jsonl"])})
        (out / "cauce.json").write_bytes(sealed.render())
        return out

    return write


@pytest.fixture(scope="session")
def encoder_folders(write_encoder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model with labels of each runtime over tokens, and one that gives vectors alone. Read-only by convention."""
    room = tmp_path_factory.mktemp("encoders")
    folders = {runtime: write_encoder(room / runtime, runtime) for runtime in ("onnx", "openvino")}
    return {**folders, "vectors": write_encoder(room / "vectors", task="embedding")}


@pytest.fixture(scope="session")
def tiny_rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Labeled rows for a tiny network: those to train on, and others to choose by."""
    room = tmp_path_factory.mktemp("rows")
    return {"train": write_rows(room / "train.csv", 600, 0), "dev": write_rows(room / "dev.csv", 200, 1)}


@pytest.fixture(scope="session")
def tiny_network(tmp_path_factory: pytest.TempPathFactory, tiny_rows: dict[str, Path]) -> Path:
    """A transformer of four layers that has learned a simple thing. Read-only by convention: copy it before changing it."""
    room = tmp_path_factory.mktemp("network")
    options = {"base": str(write_base(room / "base")), "epochs": 3, "rate": 3e-3, "max_tokens": 32, "precision": "fp32"}
    cauce.train(tiny_rows["train"], dev=tiny_rows["dev"], recipe="transformer", out=room / "model", options=options)
    return room / "model"


@pytest.fixture(scope="session")
def cauce_command() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run the real command."""

    def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "cauce", *map(str, arguments)],
            **{"capture_output": True, "timeout": 60, "check": False, **options},  # type: ignore[call-overload]
        )

    return run


@pytest.fixture(scope="session")
def unprivileged() -> list[str]:
    """What makes a read-only folder read-only for root too."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("runs as root, and setpriv is not here to give up root's rights")
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


def write_rows(path: Path, rows: int, seed: int) -> Path:
    """Sentences that are good or bad by one word, one in ten mislabeled, so that nobody is always right."""
    random = Random(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(rows):
            label = random.choice(("bad", "good"))
            words = [random.choice(WORDS) for _ in range(random.randint(1, 12))]
            words.insert(random.randrange(len(words) + 1), random.choice(GOOD if label == "good" else BAD))
            other = "bad" if label == "good" else "good"
            writer.writerow([f"{' '.join(words)} {number}", other if random.random() < 0.1 else label])
    return path


def write_base(folder: Path) -> Path:
    """An encoder as transformers writes it, that has learned nothing yet."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *GOOD, *BAD, *WORDS]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=64, max_position_embeddings=64, **sizes)).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Write what `make prove` proved, and how long it took, to benchmarks/results/proofs.json; a part of it leaves the rest."""
    if terminalreporter.config.option.markexpr == "prove":
        proofs = {
            report.nodeid: {"outcome": outcome, "seconds": round(report.duration, 1)}
            for outcome in ("passed", "failed")
            for report in terminalreporter.stats.get(outcome, [])
        }
        versions = {"python": platform.python_version(), "cauce": version("cauce")}
        path = ROOT / "benchmarks" / "results" / "proofs.json"
        before = json.loads(path.read_text("utf-8"))["proofs"] if path.exists() else {}
        before = {name: found for name, found in before.items() if (ROOT / name.partition("::")[0]).exists()}
        path.write_text(json.dumps({"proofs": dict(sorted((before | proofs).items())), "versions": versions}, indent=2) + "\n")
    return (yield)
