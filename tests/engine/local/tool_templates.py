"""Chat templates with tools in the styles of three families of models, and messages with calls."""

from __future__ import annotations

from typing import Any

QWEN = r"""
{%- if tools %}
  {{- '<|im_start|>system\n' }}
  {%- if messages[0].role == 'system' %}{{- messages[0].content + '\n\n' }}{%- endif %}
  {{- 'Functions:' }}
  {%- for tool in tools %}{{- '\n' + (tool | tojson) }}{%- endfor %}
  {{- '<|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}
  {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
  {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
    {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
  {%- elif message.role == 'assistant' %}
    {{- '<|im_start|>assistant\n' }}
    {%- if loop.last %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
    {{- message.content }}
    {%- for call in message.tool_calls %}
      {%- if message.content or not loop.first %}{{- '\n' }}{%- endif %}
      {{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}
      {{- (call.function.arguments | tojson) + '}\n</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\n' }}
  {%- elif message.role == 'tool' %}
    {{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\n' }}
  {%- if enable_thinking is defined and not enable_thinking %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
{%- endif %}"""

LLAMA = r"""
{%- for message in messages %}
  {%- if message.role == 'tool' %}
    {{- '<|im_start|>ipython\n' + (message.content | tojson) + '<|im_end|>' }}
  {%- elif message.tool_calls %}
    {%- if message.tool_calls | length != 1 %}{{- raise_exception('one call at a time') }}{%- endif %}
    {%- set call = message.tool_calls[0].function %}
    {{- '<|im_start|>assistant\n{"name": "' + call.name + '", "parameters": ' }}
    {{- (call.arguments | tojson) + '}<|im_end|>' }}
  {%- else %}
    {{- '<|im_start|>' + message.role + '\n' }}
    {%- if loop.first and tools %}{{- (tools | tojson(indent=4)) + '\n\n' }}{%- endif %}
    {{- message.content + '<|im_end|>' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"""

# the functions come before the last question, so a template of this kind changes earlier turns
MISTRAL = r"""
{%- set asked = messages | selectattr('role', 'equalto', 'user') | list %}
{%- for message in messages %}
  {%- if message.role == 'user' %}
    {%- if tools and message == asked[-1] %}{{- 'Functions: ' + (tools | tojson) + '\n' }}{%- endif %}
    {{- '<|im_start|>' + message.content + '<|im_end|>' }}
  {%- elif message.tool_calls %}
    {{- '<end_of_turn>[' }}
    {%- for call in message.tool_calls %}
      {%- if call.id | length != 9 %}{{- raise_exception('ids have nine characters') }}{%- endif %}
      {{- (call.function | tojson)[:-1] + ', "id": "' + call.id + '"}' }}
      {%- if not loop.last %}{{- ', ' }}{%- endif %}
    {%- endfor %}
    {{- ']<|im_end|>' }}
  {%- elif message.role == 'tool' %}
    {{- 'Result: {"content": ' + (message.content | tojson) }}
    {{- ', "call_id": "' + message.tool_call_id + '"}' }}
  {%- else %}
    {{- message.content + '<|im_end|>' }}
  {%- endif %}
{%- endfor %}"""

# newer models of that family: a name, then the arguments
NAMED = r"""
{%- if tools %}{{- 'Functions: ' + (tools | tojson) + '\n' }}{%- endif %}
{%- for message in messages %}
  {%- if message.role == 'tool' %}{{- 'Result: ' + message.content + '\n' }}
  {%- elif message.role == 'assistant' %}
    {{- message.content }}
    {%- for call in message.tool_calls %}
      {{- '[TOOL_CALLS]' + call.function.name + '[ARGS]' + (call.function.arguments | tojson) }}
    {%- endfor %}
    {{- '<|im_end|>' }}
  {%- else %}{{- '<|im_start|>' + message.content + '\n' }}
  {%- endif %}
{%- endfor %}"""

WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "天気を調べる",
    "parameters": {
        "type": "object",
        "properties": {"city": {"enum": ["東京", "大阪"]}, "celsius": {"type": "boolean"}},
        "required": ["city", "celsius"],
        "additionalProperties": False,
    },
}
TIME: dict[str, Any] = {
    "name": "get_time",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
}


def called(name: str, arguments: str, *, id: str = "call_1") -> dict[str, Any]:
    """Return a call as it is in an assistant's message."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: dict[str, Any], content: str | None = None) -> dict[str, Any]:
    """Return an assistant's message with calls."""
    return {"role": "assistant", "content": content, "tool_calls": [*calls]}


def answering(content: str, *, id: str = "call_1") -> dict[str, Any]:
    """Return the message that answers a call."""
    return {"role": "tool", "tool_call_id": id, "content": content}
