"""The table of what `ftrun check` can find: code, severity and cure. docs/checks.md explains each."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Code(NamedTuple):
    """How bad it is, and what the user can do about it when the place itself suggests nothing better."""

    severity: Literal["error", "warning", "note"]
    cure: str


def _error(cure: str) -> Code:
    return Code("error", cure)


def _warning(cure: str) -> Code:
    return Code("warning", cure)


def _note(cure: str) -> Code:
    return Code("note", cure)


SOURCES = {
    "missing_file": _error("Mend `path`; it is relative to the experiment file that names it."),
    "not_a_file": _error("Name a regular file, or a glob such as data/*.csv."),
    "outside_project": _error(
        "Copy the file into the project, so that nothing else can be uploaded by mistake."
    ),
    "unknown_format": _error(
        "Add `format:` to the source: csv, tsv, jsonl, json, parquet, arrow, xlsx or sqlite."
    ),
    "source_key": _error("Delete the key, or name the file that it is for."),
    "other_table": _error("Open it and save it as .xlsx or CSV, and name that file."),
    "not_text": _error("Name the file as what it is, or say so in the source: `format: xlsx`."),
    "extra_missing": _error("Install what reads it: pip install 'ftrun[data]'"),
    "damaged": _error("Save or download the file anew."),
    "dataset": _error("Mend `dataset` of the source."),
    "unreadable": _error("Mend the file's permissions."),
    "unknown_encoding": _error(
        "Use utf-8, cp932, euc_jp, utf-16 or another text encoding that Python knows."
    ),
    "encoding": _error("Save the file as UTF-8, or say `encoding:` in the source."),
    "encoding_found": _note("Nothing need be done; `encoding:` in the source would make it explicit."),
    "gzip": _error("Pack the file anew with gzip, or unpack it and name the unpacked file."),
    "nul_byte": _error("Delete the NUL character; a text has none."),
    "empty_file": _error("Put data into the file, or take it out of `data.sources`."),
    "no_rows": _error("Add at least ten rows."),
}
TABLES = {
    "header": _error("Give every column a name of its own in the first line."),
    "json_in_table": _error("Add `format: jsonl` (or `json`) to the source, or name the file so."),
    "ragged_row": _error('Put a value that contains the separator or a line break into quotes: "a, b".'),
    "csv_quotes": _error('Write a quote inside a quoted value twice: "He said ""no""."'),
    "value": _error("Mend the cell, or delete its column in the file: no text or number can be made of it."),
    "sheet": _error("Name one: `sheet: NAME` in the source (for `ftrun init`: --sheet NAME)."),
    "formula": _error(
        "Open the workbook in Excel and save it: then the values are in it. Or delete the column."
    ),
    "merged_cells": _error(
        "Unmerge the cells and fill each of them, or delete them: which rows mean the value is not told."
    ),
    "query": _error("Mend `query` of the source: one SELECT whose columns have names of their own."),
    "sql": _error("Mend the query, or the address in the variable."),
    "where": _error("Mend `where` of the source: an expression that is true or false for every row."),
    "nothing_chosen": _error("Mend `where` and `sample` of the source."),
    "missing_column": _error("Mend `columns` of the source: new_name: name_in_the_file."),
    "column_clash": _error("Choose another new name in `columns` of the source."),
}
JSON = {
    "json_syntax": _error("Mend the JSON; every line of a .jsonl file is one whole object."),
    "json_duplicate_key": _error("Delete one of the two: which of them counts would be left to chance."),
    "json_number": _error("Write null or a number; JSON has no NaN and no Infinity."),
    "json_surrogate": _error(r"Delete the half character, or write both halves: \ud83d\ude00."),
    "json_row": _error('Write an object in each row: {"messages": [...]} or {"question": "...", ...}.'),
    "json_one_line": _note(
        "To see rows in messages, save it indented: python3 -m json.tool --no-ensure-ascii OLD.json NEW.json"
    ),
    "json_array_in_jsonl": _error("Add `format: json` to the source, or name the file .json."),
    "json_pretty_printed": _error("Write each object in one line: jq -c . OLD.jsonl > NEW.jsonl"),
    "jsonl_in_json": _error("Add `format: jsonl` to the source, or name the file .jsonl."),
}
GROUPS = {
    "group_column": _error("Name a column of the file in `group_by` and `order_by`."),
    "group_value": _error(
        "Fill it in, or delete the row; `where: thread != ''` in the source leaves such rows out."
    ),
    "group_messages": _error("Say in the source which they are: columns: {role: SPEAKER, content: TEXT}."),
    "group_role": _error("Say in the source who is who: roles: {user: Customer, assistant: Agent}."),
    "group_without_answer": _warning("Nothing need be done: there is nothing to learn from them."),
    "group_end": _warning("Nothing need be done: only what the assistant says is learned."),
}
CHATS = {
    "mixed_templates": _error("Ready chat rows take `prompt.system` only; delete the other templates."),
    "legacy_functions": _error(
        "Say `legacy_functions: upgrade` below `data`, which turns them into tools, or mend the rows."
    ),
    "sharegpt": _error("Say `sharegpt: convert` below `data`, which makes chats of them."),
    "empty_messages": _error("Give the row at least a user and an assistant message."),
    "message_shape": _error('Write a message as {"role": "user", "content": "..."}.'),
    "role": _error("Use system, developer, user, assistant or tool."),
    "unknown_key": _error(
        "Delete the key; a message has role, content and name, the assistant's also weight and tool_calls."
    ),
    "content_type": _error("Write the content as a text, or as a list of parts."),
    "content_part": _error('Write a part as {"type": "text", "text": "..."} or as an image.'),
    "image_url": _error('Write {"type": "image_url", "image_url": {"url": "https://..."}}.'),
    "image_role": _error("Put images into messages of the user: the model learns to write text."),
    "empty_content": _error(
        "Fill it in, or delete the row; `where: (answer | trim) != ''` in the source leaves such rows out."
    ),
    "weight": _error("Write 0 (not learned) or 1 (learned), at assistant messages only."),
    "name": _error("Write the name as a text, or delete it."),
    "late_system": _warning("Put system and developer messages first; models see few others in training."),
    "missing_assistant": _error("Add the assistant's answer: it is what is learned."),
    "last_not_assistant": _error("End the row with the assistant message that is to be learned."),
    "nothing_to_learn": _error("Leave `weight` out, or set it to 1, at one assistant message or more."),
    "ignored_key": _warning("Nothing need be done; delete the key if it was meant to have an effect."),
}
TEXTS = {
    "mojibake": _warning("Export the file anew as UTF-8, or say its true encoding: `encoding: cp932`."),
    "control_character": _warning("Delete the character: nobody sees it, but the model learns it."),
    "carriage_return": _warning(
        "Write LF alone: `{{ answer.splitlines() | join('\\n') }}` in the prompt does it."
    ),
    "bidi_character": _warning("Delete the character, unless the text is written from right to left."),
    "full_width": _warning(
        "Write them in one width; `{{ answer | half_width }}` in the prompt does it: １２ becomes 12."
    ),
    "placeholder": _warning("Fill it in, or delete the row: the model would learn to write it."),
    "blank_answer": _warning(
        "Write the answer, or delete the row; `where: answer not in ['N/A', '-']` leaves such rows out."
    ),
    "outer_space": _warning(
        "Trim the text, as `{{ answer | trim }}` in the prompt does: space around it is learned."
    ),
    "pii_email": _warning("Delete it, or say `data.pii: {email: mask}`; `off` if it may be learned."),
    "pii_phone": _warning("Delete it, or say `data.pii: {phone: mask}`; `off` if it may be learned."),
    "pii_my_number": _warning("Delete it, or say `data.pii: {my_number: mask}`; `off` if it is none."),
    "pii_card": _warning("Delete it, or say `data.pii: {card: mask}`; `off` if it is none."),
    "pii_postcode": _warning("Delete it, or say `data.pii: {postcode: mask}`; `off` if it may be learned."),
    "pii_secret": _error("Withdraw the key, then delete it here or say `data.pii: {secret: mask}`."),
    "refusals": _warning("Write answers, or delete the rows: few refusals teach to refuse much."),
    "unsupported": _warning(
        "Put what the answer needs into the prompt, or take it out: made-up details are what is learned."
    ),
    "style_mix": _warning("Write all answers in one style, the one that the model shall have."),
    "ending_mix": _warning("End all answers alike: the model learns when a text ends from how it ends."),
    "language_mix": _warning("Answer in the language of the question, or say in it which one is wanted."),
    "masked": _note("Nothing need be done: the prepared files hold tokens such as [EMAIL] instead."),
}
WHOLE = {
    "split_too_large": _error("Lower `validation` and `test` in `data.split`, or add rows."),
    "split_column": _error("Name a column that every row has, or delete the key."),
    "split_groups": _error("Divide by a column with more values, or leave `test` or `validation` out."),
    "split_share": _warning(
        "Divide by a column with more values, or give validation and test files of their own."
    ),
    "split_strata": _warning("Hold more rows out, or stratify by a column with fewer values."),
    "group_leak": _warning("Take the group out of the training data, or out of the held-out file."),
    "generated_left_out": _warning("Nothing need be done; new ones can be made from today's training part."),
    "generated_held_out": _error("Name the file in `data.sources`, where its rows are trained on only."),
    "too_few_examples": _error("Add rows: ten is what the fine-tuning API takes at least, 50 a good start."),
    "few_examples": _warning(
        "Add rows: with fewer than 50 examples the effect is small and hard to measure."
    ),
    "duplicates": _warning("Delete the repeated rows if they are not meant; `dedupe: off` would keep them."),
    "near_duplicates": _warning("Delete them, or say `dedupe: near` to leave them out."),
    "near_leak": _warning(
        "Delete the row on one side, or divide with `group_by`: it measures what was learned by heart."
    ),
    "near_unsearched": _note("Say `dedupe: near` to look through all of them."),
    "contradiction": _warning("Decide for one answer, or put what makes the difference into the question."),
    "same_answer": _warning("Leave some of these rows out, or add rows with other answers."),
    "same_opening": _warning("Vary how answers begin, or begin all of them so if it is meant."),
    "one_topic": _note("Add rows on other topics if the model shall know them too."),
    "length_outlier": _warning("Look whether two rows ran together or an answer was cut, and mend it."),
    "system_mix": _warning("Use one system prompt: `prompt.system` puts it where rows have none."),
    "recall": _note("Nothing need be done: what a model says to it is scored apart, as recall."),
    "leak": _warning("Delete the row on one side: a held-out example that was trained on measures nothing."),
    "over_limit": _warning(
        "Shorten or divide the example: what is over the limit is cut off and not learned."
    ),
}
TARGETS = {
    "model_shutdown": _warning(
        "Train a model that stays: `provider: local` keeps weights here. Save what the old one says."
    ),
    "jobs_closed": _warning("Train before, or on another target: `provider: local`, or a `base_url`."),
    "old_prices": _warning(
        "Look the price up and write `price: {train, input, output}` (US$ per million tokens) in the target."
    ),
}
TOOLS = {
    "tools": _error(
        'Write a tool as {"type": "function", "function": {"name", "description", "parameters"}}.'
    ),
    "tool_schema": _error("Mend the JSON Schema in `parameters`; it describes an object."),
    "duplicate_tool": _error("Give every function a name of its own."),
    "tool_calls": _error(
        'Write {"id": "call_1", "type": "function", "function": {"name": "...", "arguments": "{...}"}}.'
    ),
    "undeclared_function": _error("Declare the function in `tools`, or mend the name."),
    "tool_arguments": _error(
        'Write the arguments as a text that holds a JSON object: "{\\"city\\": \\"Tokyo\\"}".'
    ),
    "arguments_schema": _error("Mend the value, or the schema that the row's `tools` give for it."),
    "orphan_tool_message": _error(
        "Give `tool_call_id` the id of a call of the assistant's message before it."
    ),
    "unanswered_call": _error(
        "Add a tool message with the call's id as `tool_call_id` right after the call."
    ),
    "parallel_calls": _error("Call one function at a time, or delete `parallel_tool_calls: false`."),
}
METHODS = {
    "preference": _error(
        'Write {"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": [...]}.'
    ),
    "other_method": _error("Choose the method that the rows are for, in `train.method`."),
    "equal_outputs": _error("Delete the row: nothing can be learned from two answers that are the same."),
    "last_is_assistant": _error(
        "Delete the answer; give what the grader compares with as a field of the row."
    ),
    "grader_field": _error("Add the field to every row, or through `prompt.item`."),
    "unsupported_by_target": _error("Run it on a target that can, or take it out of the rows."),
    "unsupported_by_default": _warning("Name a target that can under `targets`; a run would stop here."),
    "ignored_by_target": _warning("Nothing need be done; it changes little of what is learned."),
    "provider_limit": _error("Stay below the provider's limit."),
    "file_size": _error("Leave rows out: `limit` or `where` in the sources, or less of each row."),
}
CODES = {**SOURCES, **TABLES, **JSON, **GROUPS, **CHATS, **TOOLS, **METHODS, **TEXTS, **WHOLE, **TARGETS}
