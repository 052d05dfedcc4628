// The SDK for Node: upload, job, poll, events, chat, stream, json_schema, tools, delete.
import fs from 'node:fs';
import OpenAI from 'openai';

const client = new OpenAI();
const base = process.argv[2];

const file = await client.files.create({ file: fs.createReadStream('train.jsonl'), purpose: 'fine-tune' });
let job = await client.fineTuning.jobs.create({ training_file: file.id, model: base, suffix: 'node' });
while (!['succeeded', 'failed', 'cancelled'].includes(job.status)) {
  await new Promise((resolve) => setTimeout(resolve, 300));
  job = await client.fineTuning.jobs.retrieve(job.id);
}
console.log('status', job.status);
for await (const event of client.fineTuning.jobs.listEvents(job.id)) console.log('event', event.message);
const model = job.fine_tuned_model;
console.log('model', model);

const messages = [{ role: 'user', content: '返品はできますか？' }];
const completion = await client.chat.completions.create({ model, messages, max_completion_tokens: 40 });
console.log('chat', completion.choices[0].message.content);

const stream = client.chat.completions.stream({ model, messages, max_completion_tokens: 40 });
let pieces = '';
stream.on('content', (delta) => (pieces += delta));
await stream.finalChatCompletion();
console.log('stream', pieces);

const parsed = await client.chat.completions.parse({
  model,
  messages,
  response_format: {
    type: 'json_schema',
    json_schema: {
      name: 'ticket',
      strict: true,
      schema: {
        type: 'object',
        properties: { category: { type: 'string' }, urgent: { type: 'boolean' } },
        required: ['category', 'urgent'],
        additionalProperties: false,
      },
    },
  },
});
console.log('parsed', Object.keys(JSON.parse(parsed.choices[0].message.content)).sort().join(','));

let asked = null;
const runner = client.chat.completions.runTools({
  model,
  messages,
  tool_choice: { type: 'function', function: { name: 'getWeather' } },
  tools: [
    {
      type: 'function',
      function: {
        name: 'getWeather',
        parse: JSON.parse,
        function: (given) => { asked = given; return '晴れ'; },
        parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      },
    },
  ],
});
await runner.done();
console.log('tool', Object.keys(asked).join(','));

const response = await client.responses.create({ model, input: '営業時間は？', max_output_tokens: 40 });
console.log('response', response.output_text);

console.log('deleted', (await client.models.delete(model)).deleted);
try {
  await client.models.retrieve(model);
} catch (error) {
  console.log('gone', error.code);
}
