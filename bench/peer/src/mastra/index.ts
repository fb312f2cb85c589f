import { Mastra } from '@mastra/core';
import { Agent } from '@mastra/core/agent';
import { createTool } from '@mastra/core/tools';
import { createStep, createWorkflow } from '@mastra/core/workflows';
import { PinoLogger } from '@mastra/loggers';
import { z } from 'zod';
import { model } from './model';

// The same model server as the OpenAI agent of this project uses, or a model inside the process.
const server: any = {
  providerId: 'bench',
  modelId: process.env.BENCH_MODEL,
  url: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY,
};

const add = createTool({
  id: 'add',
  description: 'Adds two numbers',
  inputSchema: z.object({ a: z.number(), b: z.number() }),
  outputSchema: z.object({ sum: z.number() }),
  execute: async ({ a, b }) => ({ sum: a + b }),
});

const echo = new Agent({
  id: 'echo',
  name: 'echo',
  instructions: 'You echo.',
  model: process.env.BENCH_MODEL ? server : model,
  tools: { add },
});

const double = createStep({
  id: 'double',
  inputSchema: z.object({ n: z.number() }),
  outputSchema: z.object({ n: z.number() }),
  execute: async ({ inputData }) => ({ n: inputData.n * 2 }),
});

const say = createStep({
  id: 'say',
  inputSchema: z.object({ n: z.number() }),
  outputSchema: z.object({ text: z.string() }),
  execute: async ({ inputData }) => ({ text: `It is ${inputData.n}.` }),
});

const two = createWorkflow({
  id: 'two',
  inputSchema: z.object({ n: z.number() }),
  outputSchema: z.object({ text: z.string() }),
})
  .then(double)
  .then(say)
  .commit();

export const mastra = new Mastra({
  agents: { echo },
  workflows: { two },
  tools: { add },
  logger: new PinoLogger({ name: 'bench', level: 'warn' }),
  server: { host: '127.0.0.1' },
});
