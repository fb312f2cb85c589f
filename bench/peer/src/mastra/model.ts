// A model inside the process that repeats the prompt, so that no key and no network is needed.
const usage = { inputTokens: 7, outputTokens: 3, totalTokens: 10 };

function answer(prompt: any[]): string {
  const last = prompt.filter(message => message.role === 'user').at(-1);
  return `echo: ${last?.content?.[0]?.text ?? ''}`;
}

export const model: any = {
  specificationVersion: 'v2',
  provider: 'bench',
  modelId: 'echo',
  supportedUrls: {},
  async doGenerate({ prompt }: any) {
    return {
      content: [{ type: 'text', text: answer(prompt) }],
      finishReason: 'stop',
      usage,
      warnings: [],
    };
  },
  async doStream({ prompt }: any) {
    const parts = [
      { type: 'stream-start', warnings: [] },
      { type: 'text-start', id: '1' },
      { type: 'text-delta', id: '1', delta: answer(prompt) },
      { type: 'text-end', id: '1' },
      { type: 'finish', finishReason: 'stop', usage },
    ];
    const stream = new ReadableStream({
      start(controller) {
        for (const part of parts) controller.enqueue(part);
        controller.close();
      },
    });
    return { stream };
  },
};
