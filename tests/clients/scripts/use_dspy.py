"""DSPy: a toy program whose model is tuned with BootstrapFinetune, and then asked; and lm.finetune()."""

import sys

import dspy
from dspy.clients.utils_finetune import TrainDataFormat

base = sys.argv[1]
dspy.settings.experimental = True
lm = dspy.LM(f"openai/{base}", temperature=0.0, max_tokens=200)
dspy.configure(lm=lm)

program = dspy.Predict("question -> answer")
program.set_lm(lm)
examples = [
    dspy.Example(question=f"質問{number}は何ですか？", answer=f"答え{number}").with_inputs("question")
    for number in range(12)
]
tuner = dspy.BootstrapFinetune(metric=None, num_threads=1, train_kwargs={"n_epochs": 1})
tuned = tuner.compile(program, trainset=examples)
print("model", tuned.lm.model)
print("answer", tuned(question="返品はできますか？").answer)

rows = [
    {"messages": [{"role": "user", "content": f"質問{n}"}, {"role": "assistant", "content": f"答え{n}"}]}
    for n in range(12)
]
second = lm.finetune(train_data=rows, train_data_format=TrainDataFormat.CHAT).result()
print("second", second.model)
print("said", second("返品はできますか？")[0])
