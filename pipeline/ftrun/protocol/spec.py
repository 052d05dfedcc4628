"""The roles, keys and limits of the fine-tuning API, and what `n_epochs: auto` means. Imports nothing."""

from __future__ import annotations

from typing import Literal, get_args

Method = Literal["supervised", "dpo", "reinforcement"]
SYSTEM_ROLES = ("system", "developer")
CHAT_ROLES = (*SYSTEM_ROLES, "user", "assistant")  # of messages without tools
ROLES = (*CHAT_ROLES, "tool")
LEGACY_ROLE = "function"
PLAIN_KEYS = frozenset(("role", "content", "name"))
MESSAGE_KEYS = {  # by role
    "system": PLAIN_KEYS,
    "developer": PLAIN_KEYS,
    "user": PLAIN_KEYS,
    "assistant": PLAIN_KEYS | {"weight", "tool_calls"},
    "tool": frozenset(("role", "content", "tool_call_id")),
}
CHAT_KEYS = ("messages", "tools", "parallel_tool_calls")
COMPLETION_KEYS = ("prompt", "completion")
OUTPUTS = ("preferred_output", "non_preferred_output")
PREFERENCE_KEYS = ("input", *OUTPUTS)
LEGACY_KEYS = ("functions", "function_call")
METHOD_HYPERPARAMETERS = {  # what else a method takes; left out, the provider chooses
    "supervised": ("top_layers",),  # of our engine alone
    "dpo": ("beta",),
    "reinforcement": ("compute_multiplier", "eval_interval", "eval_samples", "reasoning_effort"),
}
# names of columns that hold media, without what is no letter
PICTURES = (
    "image images img imgs imagepath imagepaths imageurl imageurls imagefile imagefiles picture pictures "
    "photo photos 画像 写真 图片 圖片 이미지 사진 imagen imagens imagenes imagem bild bilder"
)
RECORDINGS = "video videos videopath videopaths audio audios audiopath audiopaths 動画 音声 视频 音频"
FEWEST_EXAMPLES = 10  # of a training file
SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(SplitName)  # of the data; the API knows the first two


def default_epochs(examples: int) -> int:
    """Return what `n_epochs: auto` means: 3 epochs; up to 25 for few examples, fewer for very many."""
    if 3 * examples < 100:
        return min(25, 100 // max(1, examples))
    if 3 * examples > 25_000:
        return max(1, 25_000 // examples)
    return 3
