"""The current SDK: a function is called, and its result goes back."""

import json
import sys

from openai import OpenAI

client = OpenAI()
model = sys.argv[1]
messages = [{"role": "user", "content": "東京の天気は？"}]
weather = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["東京", "大阪"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
called = client.chat.completions.create(
    model=model, messages=messages, tools=[weather], tool_choice="required", temperature=0
)
call = called.choices[0].message.tool_calls[0]
print("call", call.function.name, sorted(json.loads(call.function.arguments)))
result = {"role": "tool", "tool_call_id": call.id, "content": "晴れ、21度"}
after = client.chat.completions.create(
    model=model,
    messages=[*messages, called.choices[0].message, result],
    tools=[weather],
    tool_choice="none",
    max_tokens=40,
)
print("after", after.choices[0].finish_reason)
