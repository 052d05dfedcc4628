"""LiteLLM: files, fine-tuning calls, completion, stream, embedding."""

import sys
import time

import litellm

base = sys.argv[1]

file = litellm.create_file(file=open("train.jsonl", "rb"), purpose="fine-tune", custom_llm_provider="openai")
job = litellm.create_fine_tuning_job(model=base, training_file=file.id, custom_llm_provider="openai")
while job.status not in ("succeeded", "failed", "cancelled"):
    time.sleep(0.3)
    job = litellm.retrieve_fine_tuning_job(fine_tuning_job_id=job.id, custom_llm_provider="openai")
print("status", job.status)
jobs = litellm.list_fine_tuning_jobs(limit=5, custom_llm_provider="openai")
print("listed", job.id in [one.id for one in jobs.data])
model = job.fine_tuned_model
print("model", model)

messages = [{"role": "user", "content": "返品はできますか？"}]
answer = litellm.completion(model=f"openai/{model}", messages=messages, max_tokens=40)
print("chat", answer.choices[0].message.content)
answer = litellm.completion(model=model, messages=messages, max_tokens=40)
print("bare", answer.choices[0].message.content)
stream = litellm.completion(model=f"openai/{model}", messages=messages, max_tokens=40, stream=True)
print("stream", "".join(chunk.choices[0].delta.content or "" for chunk in stream))
schema = {"type": "object", "properties": {"category": {"type": "string"}}, "required": ["category"]}
answer = litellm.completion(
    model=f"openai/{model}",
    messages=messages,
    response_format={"type": "json_schema", "json_schema": {"name": "ticket", "schema": schema}},
)
print("json", answer.choices[0].message.content)
vectors = litellm.embedding(model=f"openai/{base}", input=["猫", "犬"])
print("vectors", len(vectors.data), len(vectors.data[0]["embedding"]) > 0)
