import { encodeControl } from '../../src/core/controls.ts'
import type { Place } from '../../src/core/task.ts'
import type { MessageView } from '../../src/core/view.ts'
import { AdapterError } from '../../src/ports/chat-adapter.ts'
import { type ChatHarness, describeChatAdapter, type Fault } from '../contracts/chat-adapter.ts'
import { consoleAdapter } from '../fakes/console-adapter.ts'

function harness(): ChatHarness {
  const adapter = consoleAdapter()
  const faults = new Set<Fault>()
  let places = 0
  const place = (thread: boolean): Place => {
    return { platform: 'console', key: `place-${++places}`, channelId: 'general', thread }
  }
  adapter.faults = {
    before() {
      if (faults.delete('rate_limited')) throw new AdapterError('rate_limited', 'Slower, please.', 2000)
      if (faults.has('down')) throw new AdapterError('unavailable', 'Nobody answers.')
      if (faults.has('thread_gone')) throw new AdapterError('thread_gone', 'The thread is gone.')
    },
    after() {
      if (faults.delete('lost_answer')) throw new AdapterError('unavailable', 'The answer was lost.')
    },
  }
  return {
    adapter,
    userId: 'U-ANA',
    channel: async () => place(false),
    thread: async () => place(true),
    messages: async ({ key }) =>
      adapter.messages
        .filter((message) => message.place.key === key && !message.deleted)
        .map(({ text, view }) => ({ text, mentions: mentionsOf(view), controls: controlsOf(view) })),
    files: async ({ key }) =>
      adapter.uploads.filter((upload) => upload.place.key === key).flatMap(({ files }) => files),
    deleteMessage: async (ref) => adapter.delete(ref),
    fail: (fault) => void faults.add(fault),
    heal: () => faults.clear(),
    [Symbol.asyncDispose]: () => adapter[Symbol.asyncDispose](),
  }
}

function mentionsOf(view: MessageView): readonly string[] {
  if (view.kind === 'result') return view.mention === null ? [] : [view.mention]
  return 'mentions' in view ? view.mentions : []
}

function controlsOf(view: MessageView): readonly string[] {
  return 'controls' in view ? view.controls.map(({ control }) => encodeControl(control)) : []
}

describeChatAdapter('the console', async () => harness())
