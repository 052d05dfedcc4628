"""A tutorial of 2023, for openai 0.28: upload, job, wait, events, chat, delete."""

import os
import sys
import time

import openai

openai.api_key = os.environ["OPENAI_API_KEY"]

upload = openai.File.create(file=open("train.jsonl", "rb"), purpose="fine-tune")
while openai.File.retrieve(upload.id).status != "processed":
    time.sleep(0.5)
print("Uploaded", upload.id)

job = openai.FineTuningJob.create(
    training_file=upload["id"], model=sys.argv[1], suffix="tutorial", hyperparameters={"n_epochs": 1}
)
print("Job", job["id"], job["status"])

while True:
    job = openai.FineTuningJob.retrieve(job["id"])
    if job["status"] in ("succeeded", "failed", "cancelled"):
        break
    time.sleep(0.5)
print("status", job["status"])

events = openai.FineTuningJob.list_events(id=job["id"], limit=50)["data"]
events.reverse()
for event in events:
    print("event", event["message"])
print("jobs", len(openai.FineTuningJob.list(limit=10)["data"]))

model = job["fine_tuned_model"]
print("model", model)
messages = [
    {"role": "system", "content": "Marv is a factual chatbot that is also sarcastic."},
    {"role": "user", "content": "What's the capital of France?"},
]
completion = openai.ChatCompletion.create(model=model, messages=messages, temperature=0, max_tokens=40)
print("chat", completion.choices[0].message["content"])

pieces = []
for chunk in openai.ChatCompletion.create(model=model, messages=messages, max_tokens=40, stream=True):
    pieces.append(chunk["choices"][0]["delta"].get("content", ""))
print("stream", "".join(pieces))

text = openai.Completion.create(model=model, prompt="Q: Why is the sky blue?\nA:", max_tokens=12)
print("completion", text["choices"][0]["text"])

print("deleted", openai.Model.delete(model)["deleted"])
print("deleted", openai.File.delete(upload["id"])["deleted"])
try:
    openai.ChatCompletion.create(model=model, messages=messages)
except openai.error.InvalidRequestError as error:
    print("gone", error.code)
