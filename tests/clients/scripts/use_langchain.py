"""LangChain: invoke, stream, batch, with_structured_output, bind_tools, embeddings."""

import sys

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

model = sys.argv[1]
chat = ChatOpenAI(model=model, temperature=0, max_tokens=80)
messages = [SystemMessage("短く答えてください。"), HumanMessage("返品はできますか？")]
print("chat", chat.invoke(messages).content)
print("stream", "".join(chunk.content for chunk in chat.stream(messages)))
print("batch", len(chat.batch(["一番は？", "二番は？"])))


class Ticket(BaseModel):
    """A support ticket."""

    category: str = Field(description="which department")
    urgent: bool


for method in ("json_schema", "function_calling"):
    print(method, type(chat.with_structured_output(Ticket, method=method).invoke(messages)).__name__)


@tool
def get_weather(city: str) -> str:
    """Return the weather of a city."""
    return f"{city}は晴れ"


calling = chat.bind_tools([get_weather], tool_choice="any")
answer = calling.invoke(messages)
call = answer.tool_calls[0]
print("call", call["name"], sorted(call["args"]))
result = ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])
print("after", type(chat.bind_tools([get_weather]).invoke([*messages, answer, result])).__name__)

print("responses", ChatOpenAI(model=model, use_responses_api=True, max_tokens=80).invoke(messages).text)

embeddings = OpenAIEmbeddings(model=model, check_embedding_ctx_length=False)
print("vectors", len(embeddings.embed_documents(["猫", "犬"])), len(embeddings.embed_query("鳥")) > 0)
