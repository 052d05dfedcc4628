"""The current SDK: upload, job, wait, events, chat, stream, parsed answers, responses, delete."""

import sys
import time
from typing import Literal

from openai import NotFoundError, OpenAI
from pydantic import BaseModel

client = OpenAI()
base = sys.argv[1]

file = client.files.create(file=open("train.jsonl", "rb"), purpose="fine-tune")
client.files.wait_for_processing(file.id)
job = client.fine_tuning.jobs.create(
    training_file=file.id,
    model=base,
    suffix="support-ja",
    method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}},
)
print("job", job.id)
while job.status not in ("succeeded", "failed", "cancelled"):
    time.sleep(0.3)
    job = client.fine_tuning.jobs.retrieve(job.id)
print("status", job.status)
for event in reversed(client.fine_tuning.jobs.list_events(job.id, limit=20).data):
    print("event", event.message)
print("checkpoints", len(client.fine_tuning.jobs.checkpoints.list(job.id).data))
model = job.fine_tuned_model
print("model", model)

messages = [
    {"role": "system", "content": "あなたは親切なサポート担当です。"},
    {"role": "user", "content": "返品はできますか？"},
]
completion = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=40)
print("chat", completion.choices[0].message.content)

pieces = []
stream = client.chat.completions.create(
    model=model,
    messages=messages,
    temperature=0,
    max_tokens=40,
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        pieces.append(chunk.choices[0].delta.content)
    if chunk.usage:
        print("tokens", chunk.usage.total_tokens)
print("stream", "".join(pieces))


class Ticket(BaseModel):
    category: Literal["returns", "delivery", "other"]
    urgent: bool


parsed = client.chat.completions.parse(model=model, messages=messages, response_format=Ticket, temperature=0)
print("parsed", type(parsed.choices[0].message.parsed).__name__)

response = client.responses.create(
    model=model, instructions="短く。", input="営業時間は？", max_output_tokens=40
)
print("response", response.output_text)

client.models.delete(model)
client.files.delete(file.id)
try:
    client.models.retrieve(model)
except NotFoundError as error:
    print("gone", error.code)
