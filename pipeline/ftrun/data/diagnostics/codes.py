"""The table of what `ftrun check` can find: code, severity and fix. docs/checks.md explains each."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple


class Code(NamedTuple):
    """How serious it is, and the fix that is suggested unless the finding itself suggests a better one."""

    severity: Literal["error", "warning", "note"]
    fix: str


_error, _warning, _note = (partial(Code, severity) for severity in ("error", "warning", "note"))

CODES: dict[str, Code] = {
    # files
    "missing_file": _error("Fix `path`; it is relative to the experiment file that names it."),
    "not_a_file": _error("Name a regular file, or a glob such as data/*.csv."),
    "outside_project": _error("Copy the file into the project, so that nothing else is uploaded by mistake."),
    "unknown_format": _error("Set its `format`: csv, tsv, jsonl, json, parquet, arrow, xlsx or sqlite."),
    "source_key": _error("Delete the key, or name the file that it is meant for."),
    "other_table": _error("Open it, save it as .xlsx or CSV, and name that file."),
    "not_text": _error("Give the file the right extension, or set its format on the source: `format: xlsx`."),
    "extra_missing": _error("Install the packages that read it, with the command in the tip."),
    "damaged": _error("Save or download the file again."),
    "dataset": _error("Fix `dataset` of the source."),
    "unreadable": _error("Fix the file's permissions."),
    "unknown_encoding": _error("Use utf-8, cp932, euc_jp, utf-16 or another text encoding of Python."),
    "encoding": _error("Save the file as UTF-8, or set `encoding:` on the source."),
    "encoding_found": _note("No action needed; `encoding:` on the source would make it explicit."),
    "gzip": _error("Compress the file with gzip again, or decompress it and name that file."),
    "nul_byte": _error("Delete the NUL character; text must not contain one."),
    "empty_file": _error("Put data into the file, or remove it from `data.sources`."),
    "no_rows": _error("Add at least ten rows."),
    # tables, and the choice of rows and columns
    "header": _error("Give every column a unique name in the first line."),
    "separator": _error("Set `separator` on the source: the character between the values, or `tab`."),
    "separator_found": _note("No action needed; `separator:` on the source would make it explicit."),
    "index_column": _note("No action needed; give the column a name if it is to be used."),
    "nameless_column": _note("No action needed; give the column a name if it is to be used."),
    "json_in_table": _error("Add `format: jsonl` (or `json`) to the source, or rename the file."),
    "ragged_row": _error('Quote a value that contains the separator or a line break: "a, b".'),
    "csv_quotes": _error('Double a quote inside a quoted value: "He said ""no""."'),
    "value": _error("Fix the cell, or delete its column: it can't be turned into text or a number."),
    "sheet": _error("Name one: `sheet: NAME` on the source (for `ftrun init`: --sheet NAME)."),
    "formula": _error("Open the workbook in Excel and save it to store the values, or delete the column."),
    "merged_cells": _error("Unmerge the cells and fill in each: which rows mean the value is unknown."),
    "query": _error("Fix `query` of the source: one SELECT whose columns have unique names."),
    "sql": _error("Fix the query, or the address in the variable."),
    "where": _error("Fix `where` of the source: an expression that is true or false for every row."),
    "nothing_chosen": _error("Fix `where` and `sample` of the source."),
    "missing_column": _error("Fix `columns` of the source: new_name: name_in_the_file."),
    "unused_column": _note("No action needed; to use a column, name it in a template of `prompt`."),
    "column_clash": _error("Choose another new name in `columns` of the source."),
    # JSON and JSONL
    "json_syntax": _error("Fix the JSON; every line of a .jsonl file is one complete object."),
    "json_duplicate_key": _error("Delete one of the two: which of them counts would be left to chance."),
    "json_number": _error("Write null or a number; JSON has no NaN and no Infinity."),
    "json_surrogate": _error(r"Delete the lone surrogate, or write the whole pair: \ud83d\ude00."),
    "json_row": _error('Write each row as an object: {"messages": [...]} or {"question": "...", ...}.'),
    "records": _error("Fix `records` of the source: the key whose list holds the rows."),
    "records_found": _note("No action needed; `records:` on the source would make it explicit."),
    "chat_export": _error("Export the chat again as text or JSON, and leave the file as it is."),
    "chat_left_out": _note("No action needed: pictures, calls and the service's own lines have no text."),
    "json_one_line": _note(
        "To get line numbers in messages, indent it: python3 -m json.tool --no-ensure-ascii OLD.json NEW.json"
    ),
    "json_array_in_jsonl": _error("Add `format: json` to the source, or name the file .json."),
    "json_pretty_printed": _error(
        'Write each object on one line: python3 -X utf8 -c "import json, re, sys; '
        "[print(json.dumps(json.loads(one), ensure_ascii=False)) for one in "
        "re.split(r'(?<=})\\s*\\n\\s*(?={)', sys.stdin.read())]\" < OLD.jsonl > NEW.jsonl"
    ),
    "jsonl_in_json": _error("Add `format: jsonl` to the source, or name the file .jsonl."),
    # conversations of several rows
    "group_column": _error("Name a column of the file in `group_by` and `order_by`."),
    "group_value": _error("Fill it in, or leave such rows out: `where: thread != ''` on the source."),
    "group_messages": _error("Name them on the source: columns: {role: SPEAKER, content: TEXT}."),
    "group_role": _error("Map the speakers on the source: roles: {user: Customer, assistant: Agent}."),
    "group_without_answer": _warning("No action needed: there is nothing to learn from them."),
    "group_end": _warning("No action needed: only what the assistant says is learned."),
    # chat examples
    "mixed_templates": _error("Ready-made chats use `prompt.system` only; delete the other templates."),
    "legacy_functions": _error("Set `data.legacy_functions: upgrade` to make them tools, or fix the rows."),
    "sharegpt": _error("Add `shape: chat` to the source, which turns them into chats."),
    "other_shape": _error("Add the `shape` of the rows to the source, which converts them."),
    "shape": _error("Fix the row, or delete it; or fix `shape` of the source."),
    "empty_messages": _error("Give the row at least a user message and an assistant message."),
    "message_shape": _error('Write a message as {"role": "user", "content": "..."}.'),
    "role": _error("Use system, developer, user, assistant or tool."),
    "unknown_key": _error("Delete it; allowed: role, content, name; weight and tool_calls of an assistant."),
    "content_type": _error("Write the content as text, or as a list of parts."),
    "content_part": _error('Write a part as {"type": "text", "text": "..."} or as an image.'),
    "image_url": _error('Write {"type": "image_url", "image_url": {"url": "https://..."}}.'),
    "image_role": _error("Put images into user messages only: the model learns to write text."),
    "empty_content": _error("Fill it in, or leave such rows out with a `where` on the source."),
    "weight": _error("Use 0 (not learned) or 1 (learned), and on assistant messages only."),
    "name": _error("Write the name as text, or delete it."),
    "late_system": _warning("Put system and developer messages first; models rarely see others in training."),
    "missing_assistant": _error("Add the assistant's answer: it is what the model learns."),
    "last_not_assistant": _error("End the row with the assistant message that the model should learn."),
    "nothing_to_learn": _error("Remove `weight`, or set it to 1, on at least one assistant message."),
    "ignored_key": _warning("No action needed; delete the key if it was meant to have an effect."),
    # tools and their calls
    "tools": _error('Write each as {"type": "function", "function": {"name", "description", "parameters"}}.'),
    "tool_schema": _error("Fix the JSON Schema in `parameters`; it must describe an object."),
    "duplicate_tool": _error("Give every function a unique name."),
    "tool_calls": _error(
        'Write {"id": "call_1", "type": "function", "function": {"name": "...", "arguments": "{...}"}}.'
    ),
    "undeclared_function": _error("Declare the function in `tools`, or fix the name."),
    "tool_arguments": _error('Write a string that contains a JSON object: "{\\"city\\": \\"Tokyo\\"}".'),
    "arguments_schema": _error("Fix the value, or its schema in the row's `tools`."),
    "orphan_tool_message": _error("Set `tool_call_id` to the id of a call in the assistant message before."),
    "unanswered_call": _error("Add a tool message with the call's id as `tool_call_id` after the call."),
    "parallel_calls": _error("Call one function at a time, or delete `parallel_tool_calls: false`."),
    # methods
    "preference": _error(
        'Write {"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": [...]}.'
    ),
    "other_method": _error("Set `train.method` to the method that the rows are made for."),
    "equal_outputs": _error("Delete the row: two identical answers teach nothing."),
    "last_is_assistant": _error("Delete the answer; put what the grader compares with into a field."),
    "grader_field": _error("Add the field to every row, or through `prompt.item`."),
    "unsupported_by_target": _error("Use a target that supports it, or remove it from the rows."),
    "unsupported_by_default": _warning("Name a target that supports it in `targets`; a run would stop here."),
    "ignored_by_target": _warning("No action needed; it hardly changes what is learned."),
    "provider_limit": _error("Stay below the provider's limit."),
    "file_size": _error("Leave rows out: `limit` or `where` on the sources; or shorten the rows."),
    # texts
    "mojibake": _warning(
        "Set `data.clean: [mojibake]`, which repairs such texts, or export it again as UTF-8."
    ),
    "html": _warning("Set `data.clean: [html]`, which leaves the text that a browser shows."),
    "tabs": _warning("Set `data.clean: [tabs]`, which makes each run of tabs a space."),
    "image_token": _warning("Write pictures as parts of the content (`image_url`), or delete the sign."),
    "old_separators": _warning("Set `data.clean: [separators]`: chat models know where a text ends."),
    "control_character": _warning("Set `data.clean: [hidden]`: nobody sees it, but the model learns it."),
    "carriage_return": _warning("Set `data.clean: [newlines]`, which makes every line end with LF alone."),
    "bidi_character": _warning("Set `data.clean: [hidden]`: nothing is written from right to left."),
    "full_width": _warning("Set `data.clean: [half_width]`, which makes １２ 12 and ＡＢ AB in every text."),
    "placeholder": _warning("Fill it in, or delete the row: the model would learn to write it."),
    "blank_answer": _warning("Write it, or delete the row: the model would learn to answer that."),
    "outer_space": _warning("Set `data.clean: [trim]`, which removes space around every text."),
    "pii_email": _warning("Delete it, or set `data.pii: {email: mask}`; `off` if it may be learned."),
    "pii_phone": _warning("Delete it, or set `data.pii: {phone: mask}`; `off` if it may be learned."),
    "pii_my_number": _warning("Delete it, or set `data.pii: {my_number: mask}`; `off` if it isn't one."),
    "pii_card": _warning("Delete it, or set `data.pii: {card: mask}`; `off` if it isn't one."),
    "pii_postcode": _warning("Delete it, or set `data.pii: {postcode: mask}`; `off` if it may be learned."),
    "pii_secret": _error("Revoke the key, then delete it here or set `data.pii: {secret: mask}`."),
    "refusals": _warning("Write answers, or delete the rows: a few refusals teach a model to refuse a lot."),
    "unsupported": _note("Add it to the prompt, or remove it: the model learns to make up such details."),
    "style_mix": _warning("Write all answers in one style: the one that the model should use."),
    "ending_mix": _warning("End all answers the same way: the model learns from it where a text ends."),
    "language_mix": _warning("Answer in the language of the question, or ask for the other one there."),
    "masked": _note("No action needed: the prepared files contain tokens such as [EMAIL] instead."),
    # the data as a whole
    "split_too_large": _error("Lower `validation` and `test` in `data.split`, or add rows."),
    "split_column": _error("Name a column that every row has, or delete the key."),
    "split_groups": _error("Group by a column with more values, or leave `test` or `validation` out."),
    "split_share": _warning("Group by a column with more values, or use separate validation and test files."),
    "split_strata": _warning("Hold out more rows, or stratify by a column with fewer values."),
    "group_leak": _warning("Remove the group from the training data, or from the held-out file."),
    "generated_left_out": _warning("No action needed; `ftrun augment` can reword today's training rows."),
    "generated_held_out": _error("Name the file in `data.sources`, where its rows only train."),
    "too_few_examples": _error("Add rows: the fine-tuning API takes at least ten; 50 are a good start."),
    "few_examples": _warning("Add rows: with fewer than 50 the effect is small and hard to measure."),
    "duplicates": _warning("Delete the repeated rows, unless intended; `dedupe: off` keeps them."),
    "near_duplicates": _warning("Delete them, or set `data.dedupe: near` to leave them out."),
    "near_leak": _warning("Delete it from one split, or use `group_by`: it measures what was memorized."),
    "near_unsearched": _note("Set `data.dedupe: near` to search all of them."),
    "contradiction": _warning("Decide on one answer, or put what makes the difference into the question."),
    "same_answer": _warning("Leave some of these rows out, or add rows with other answers."),
    "same_opening": _warning("Vary how answers begin, or begin all of them this way if it is intended."),
    "one_topic": _note("Add rows on other topics if the model should know them too."),
    "length_outlier": _warning("Check whether two rows ran together or an answer was cut off, and fix it."),
    "system_mix": _warning("Use one system prompt: `prompt.system` adds it to rows that have none."),
    "replay": _note("No action needed; `data.replay` says how many."),
    "replay_few": _note("Name a file with more of them (`data.replay.path`), or lower the share."),
    "replay_method": _error("Name a file of rows for this method: `data.replay.path`."),
    "recall": _note("No action needed: answers to it are scored separately, as recall."),
    "leak": _warning("Delete it from one split: held-out examples that were trained on measure nothing."),
    "over_limit": _warning("Shorten or divide it: what exceeds the limit is cut off and not learned."),
    # the target as of today
    "model_shutdown": _warning(
        "Record its answers with `ftrun rescue`; train one that stays with `ftrun port`."
    ),
    "jobs_closed": _warning("Train before then, or on another target: `provider: local`, or a `base_url`."),
    "old_prices": _warning("Set `price: {train, input, output}` (US$ per million tokens) on the target."),
}
