import { errorLine } from '../../src/core/errors.ts'
import type { StatusView } from '../../src/core/view.ts'
import type { ChatAdapter } from '../../src/ports/chat-adapter.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { slackCode } from './errors.ts'
import { fromPlace } from './place.ts'
import type { Wire } from './wire.ts'

const REACTIONS: Readonly<Record<StatusView['status'], string>> = {
  pending: 'eyes',
  planning: 'eyes',
  awaiting_approval: 'raised_hand',
  running: 'hourglass_flowing_sand',
  done: 'white_check_mark',
  failed: 'x',
  cancelled: 'octagonal_sign',
  interrupted: 'zap',
}

/** The status as a reaction on the thread's first message. A courtesy: what goes wrong is logged and forgotten. */
export function createMark(wire: Wire, logger: Logger): ChatAdapter['mark'] {
  async function react(
    method: 'reactions.add' | 'reactions.remove',
    channel: string,
    mark: { timestamp: string; name: string },
  ) {
    try {
      await wire.call(method, { channel, ...mark })
    } catch (error) {
      const code = slackCode(error)
      if (code === 'already_reacted' || code === 'no_reaction') return
      logger.debug({ code: code ?? '' }, `a reaction in Slack did not work: ${errorLine(error)}`)
    }
  }

  return async (place, status, before) => {
    const target = fromPlace(place)
    if (target === undefined || target.threadTs === null) return
    const { channelId, threadTs: timestamp } = target
    const [name, old] = [REACTIONS[status.status], before === null ? null : REACTIONS[before.status]]
    if (old !== null && old !== name) await react('reactions.remove', channelId, { timestamp, name: old })
    await react('reactions.add', channelId, { timestamp, name })
  }
}
